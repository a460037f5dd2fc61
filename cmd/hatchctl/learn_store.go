package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	learning "github.com/hatchdog/hatchdog/internal/learn"
)

// recordingsMost bounds what is kept, with learning.FileMost for each.
const recordingsMost = 64

var (
	errManyRecordings = fmt.Errorf("%d recordings are kept, and no more: 'hatchctl learn remove NAME'", recordingsMost)
	errBeingRecorded  = errors.New("it is being recorded: 'hatchctl learn stop NAME' ends that")
	errOpenToOthers   = errors.New("others than its owner can write to it or read it")
)

// recordings are kept in a folder of the state directory that is its owner's alone.
type recordings struct{ dir string }

func (o *options) recordings() recordings { return recordings{filepath.Join(o.store().Base, "learn")} }

func (r recordings) make() error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	return r.own()
}

// own refuses a folder that others have a hand in.
func (r recordings) own() error {
	var st unix.Stat_t
	if err := unix.Lstat(r.dir, &st); err != nil {
		return fmt.Errorf("%s: %w", r.dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o077 != 0 || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s: %w", r.dir, errOpenToOthers)
	}
	return nil
}

func (r recordings) file(name, kind string) string { return filepath.Join(r.dir, name+kind) }

// names are the recordings that are kept.
func (r recordings) names() ([]string, error) {
	all, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range all {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && learning.CheckName(name) == nil {
			names = append(names, name)
		}
	}
	return names, err
}

// read reads a recording by its name, or a file that --format json wrote.
func (r recordings) read(name string) (*learning.Data, error) {
	file := name
	if !strings.Contains(name, "/") {
		if err := learning.CheckName(name); err != nil {
			return nil, err
		}
		if err := r.own(); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no recording %q; 'hatchctl learn show' lists them", name)
		} else if err != nil {
			return nil, err
		}
		file = r.file(name, ".json")
	}
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no recording %q; 'hatchctl learn show' lists them", name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw := make([]byte, 0, 1<<16)
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > learning.FileMost {
		return nil, fmt.Errorf("%s: not a recording: no file, or larger than %d bytes", file, learning.FileMost)
	}
	raw, err = readMost(f, raw, learning.FileMost)
	if err != nil {
		return nil, err
	}
	d, err := learning.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// write replaces a recording as a whole.
func (r recordings) write(name string, d *learning.Data) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	tmp := r.file("."+name, ".tmp")
	_ = os.Remove(tmp)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, r.file(name, ".json"))
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// take takes the lock of a recording, which its recorder holds.
func (r recordings) take(name string) (*os.File, error) {
	if err := learning.CheckName(name); err != nil {
		return nil, err
	}
	if err := r.make(); err != nil {
		return nil, err
	}
	have, err := r.names()
	if err != nil {
		return nil, err
	}
	if len(have) >= recordingsMost && !slices.Contains(have, name) {
		return nil, errManyRecordings
	}
	f, err := os.OpenFile(r.file(name, ".lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", name, errBeingRecorded)
	}
	return f, nil
}

// recorder is the process that holds the lock of a recording; 0 is none.
func (r recordings) recorder(name string) int {
	f, err := os.OpenFile(r.file(name, ".lock"), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0
	}
	raw := make([]byte, 0, 32)
	raw, _ = readMost(f, raw, 32)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(raw)))
	return pid
}

// end has a recorder write what it has, and waits until it is gone.
func (r recordings) end(name string) error {
	pid := r.recorder(name)
	if pid <= 1 {
		return fmt.Errorf("%q is not being recorded", name)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if r.recorder(name) != pid { // it ended, and its pid may be another's
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil {
		return err
	}
	const patience = 30 * time.Second
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if r.recorder(name) == 0 {
			return nil
		}
	}
	return fmt.Errorf("the recorder of %q (process %d) does not end", name, pid)
}

// remove removes a recording that nobody records.
func (r recordings) remove(name string) error {
	lock, err := r.take(name)
	if err != nil {
		return err
	}
	defer lock.Close()
	return errors.Join(os.Remove(r.file(name, ".json")), os.Remove(r.file(name, ".lock")))
}
