package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	errReportLink  = errors.New("it leads over a symbolic link, which somebody else may have set; name the file itself")
	errReportOther = errors.New("it is not a file of its own: it has another name, or is a device or a pipe")
	errReportMoved = errors.New("something else is there now; the report is not written")
)

// reportFile is where the report goes. It is opened before the command runs, who
// could lead it to a file of somebody else.
type reportFile struct {
	path string
	file *os.File
}

// openReport opens the file of that name, and changes nothing in it. Of links it
// takes what grant takes.
func openReport(name string) (*reportFile, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if cwd, err = filepath.EvalSymlinks(cwd); err != nil {
		return nil, err
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, path)
	}
	how := &unix.OpenHow{
		Flags: unix.O_WRONLY | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC, Mode: 0o600,
		Resolve: unix.RESOLVE_NO_MAGICLINKS,
	}
	if strings.HasPrefix(path, strings.TrimSuffix(cwd, "/")+"/") {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, how)
	switch {
	case errors.Is(err, unix.ELOOP):
		return nil, errReportLink
	case errors.Is(err, unix.ENXIO): // a pipe that nobody reads
		return nil, errReportOther
	case err != nil:
		return nil, err
	}
	r := &reportFile{path, os.NewFile(uintptr(fd), path)}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 {
		return nil, errors.Join(errReportOther, err, r.file.Close())
	}
	return r, nil
}

// empty makes it ready to be written to, if the path still leads to it: what is
// found there later is then what we wrote.
func (r *reportFile) empty() error {
	var held, now unix.Stat_t
	if err := unix.Fstat(int(r.file.Fd()), &held); err != nil {
		return err
	}
	if err := unix.Lstat(r.path, &now); err != nil || held.Ino != now.Ino || held.Dev != now.Dev {
		return fmt.Errorf("%s: %w", r.path, errReportMoved)
	}
	return r.file.Truncate(0)
}
