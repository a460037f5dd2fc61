package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// person is who called us.
type person struct {
	uid, gid uint32
	homes    []string // of all accounts
}

var errSudo = errors.New("SUDO_UID and SUDO_GID do not name a user and a group: who called is not known (as root, unset both)")

// caller is the user behind sudo, or root.
func caller(getenv func(string) string) (person, error) {
	var p person
	if owner.User() != 0 {
		if owner.Others() {
			p.uid, p.gid = uint32(owner.User()), uint32(owner.Group())
		}
	} else if u, g := getenv("SUDO_UID"), getenv("SUDO_GID"); u != "" || g != "" {
		uid, err := strconv.ParseUint(u, 10, 32)
		gid, errG := strconv.ParseUint(g, 10, 32)
		if err != nil || errG != nil {
			return p, errSudo
		}
		p.uid, p.gid = uint32(uid), uint32(gid)
	}
	p.homes = []string{"/root"}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		p.homes = append(p.homes, filepath.Clean(home))
	}
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return p, nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if parts := strings.Split(lines.Text(), ":"); len(parts) == 7 && filepath.IsAbs(parts[5]) && len(parts[5]) > 1 {
			p.homes = append(p.homes, filepath.Clean(parts[5]))
		}
	}
	return p, lines.Err()
}

var errGrantLink = errors.New("it leads over a symbolic link, which somebody else may have set; name the directory itself")

// grants are what was named, and the working directory where that is harmless.
func (f *runFlags) grants(b *sandbox.Box, who person, rules policy.MountRules) error {
	cwd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	if cwd, err = filepath.EvalSymlinks(cwd); err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	b.Cwd = cwd
	for _, list := range []struct {
		flag  string
		paths []string
		write bool
	}{{"rw", f.rw, true}, {"ro", f.ro, false}} {
		for _, p := range list.paths {
			g, err := grant(cwd, p, list.write, f.narrowFd == "")
			if err != nil {
				return fmt.Errorf("--%s %s: %w", list.flag, p, err)
			}
			if err := b.Grant(g); err != nil {
				return fmt.Errorf("--%s %s: %w", list.flag, p, err)
			}
		}
	}
	if b.Workdir() != sandbox.Home || !shows(cwd, who.homes, rules) {
		return nil // it is seen already, or must not be
	}
	return b.Grant(sandbox.Grant{Path: cwd, Dir: true, Implied: true})
}

// shows reports whether a working directory is shown although nobody named it.
func shows(cwd string, homes []string, rules policy.MountRules) bool {
	if cwd == "/" || strings.Count(cwd, "/") == 1 {
		return false // a whole part of the host
	}
	for _, home := range homes {
		if home == cwd || strings.HasPrefix(home, cwd+"/") {
			return false
		}
	}
	for at := cwd; at != "/"; at = filepath.Dir(at) {
		if sandbox.Hidden(at) != "" {
			return false
		}
	}
	access, _ := rules.AccessFor(cwd)
	return access != policy.AccessNone && len(rules.Contains(cwd)) == 0
}

// grant finds what a path names. A link below the working directory may be
// another's: a repository must not choose what of the host it is given. Without
// links none is followed anywhere: the program that narrows its runs has found the
// paths, and a run must not choose what the next one is given.
func grant(cwd, p string, write, links bool) (sandbox.Grant, error) {
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	full := p
	if !filepath.IsAbs(p) {
		full = filepath.Join(cwd, p)
	}
	if !links || full == cwd || strings.HasPrefix(full, strings.TrimSuffix(cwd, "/")+"/") {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, full, how)
	if errors.Is(err, unix.ELOOP) {
		return sandbox.Grant{}, errGrantLink
	}
	if err != nil {
		return sandbox.Grant{}, err
	}
	defer unix.Close(fd)
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return sandbox.Grant{}, err
	}
	var st, again unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Lstat(real, &again)); err != nil {
		return sandbox.Grant{}, err
	}
	if st.Ino != again.Ino || st.Dev != again.Dev {
		return sandbox.Grant{}, errors.New("it changes while it is looked at")
	}
	return sandbox.Grant{Path: real, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, Write: write}, nil
}
