package run

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/owner"
)

// Places are where boxes are kept.
type Places struct {
	Bundles string // of the runs under way
	Runtime string // where the low-level runtime keeps them, apart from others' containers
	Layers  string // copies whose changes wait
	Known   string // which text of which repository's file was accepted
}

// ErrPlace is a directory that is not safe to keep boxes in.
var ErrPlace = errors.New("not a directory of ours that only we can write to")

// PlacesOf are below dir, or where a host has them if dir is "": root's in
// /run and /var/lib, an ordinary user's below XDG_RUNTIME_DIR and XDG_STATE_HOME (XDG Base Directory
// Specification 0.8).
func PlacesOf(dir string, user int, getenv func(string) string) (Places, error) {
	if dir != "" {
		abs, err := filepath.Abs(dir)
		join := func(name string) string { return filepath.Join(abs, name) }
		return Places{join("boxes"), join("runtime"), join("layers"), join("known")}, err
	}
	if user == 0 {
		return Places{bundles(), "/run/hatchdog-run", "/var/lib/hatchdog-layers", "/var/lib/hatchdog-known"}, nil
	}
	runtime, state := filepath.Join(getenv("XDG_RUNTIME_DIR"), "hatchdog-run"), State(getenv)
	if !filepath.IsAbs(runtime) || !filepath.IsAbs(state) {
		return Places{}, errors.New("neither XDG_RUNTIME_DIR nor HOME names a directory: there is no place to keep a box in")
	}
	join := func(name string) string { return filepath.Join(runtime, name) }
	return Places{join("boxes"), join("runtime"), filepath.Join(state, "layers"), filepath.Join(state, "known")}, nil
}

// bundles is in memory where that takes id mappings: the root file system of each run
// is made anew, which takes a disk ten times as long.
func bundles() string {
	var name unix.Utsname
	var major, minor int
	if unix.Uname(&name) == nil {
		if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err == nil && (major > 6 || major == 6 && minor >= 3) {
			return "/run/hatchdog-boxes" // tmpfs maps ids since Linux 6.3
		}
	}
	return "/var/lib/hatchdog-run"
}

// State is what hatchdog keeps of an ordinary user's.
func State(getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		state = filepath.Join(getenv("HOME"), ".local", "state")
	}
	return filepath.Join(state, "hatchdog")
}

// Runtime is the XDG_RUNTIME_DIR of an ordinary user who has none, as one who is not
// logged in: the one that a login would have made, or a place in the user's state.
func Runtime(user int, getenv func(string) string) string {
	at := fmt.Sprintf("/run/user/%d", user)
	if mine(at) == nil {
		return at
	}
	return filepath.Join(State(getenv), "run")
}

// All are the directories themselves.
func (p Places) All() []string { return []string{p.Bundles, p.Runtime, p.Layers, p.Known} }

// Make makes what is missing. All may pass through to the bundles, which are
// mounted for other ids; nobody else writes to any of them, or moves one away. In a
// user namespace the owners of the directories above cannot be told (all are
// nobody's): looked is that they were looked at outside of it.
func (p Places) Make(looked bool) error {
	for _, dir := range p.All() {
		mode := fs.FileMode(0o700)
		if dir == p.Bundles {
			mode = 0o711
		}
		if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
			return err
		}
		if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := mine(dir); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if looked {
			continue
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return err
		}
		if err := cmp.Or(steady(filepath.Dir(dir), true), steady(filepath.Dir(real), false)); err != nil {
			return err
		}
	}
	return nil
}

// Check is what Make would refuse. It makes nothing.
func (p Places) Check() error {
	for _, dir := range p.All() {
		at := dir
		for {
			if _, err := os.Lstat(at); err == nil || at == "/" {
				break
			}
			at = filepath.Dir(at)
		}
		if at == dir {
			if err := mine(dir); err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
		}
		real, err := filepath.EvalSymlinks(at)
		if err != nil {
			return err
		}
		if err := cmp.Or(steady(filepath.Dir(at), true), steady(real, false)); err != nil {
			return err
		}
	}
	return nil
}

func mine(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 {
		return ErrPlace
	}
	return nil
}

// steady reports a directory, here or above, in which somebody else could put
// another in the place of ours.
func steady(dir string, links bool) error {
	for {
		var st unix.Stat_t
		if err := unix.Lstat(dir, &st); err != nil {
			return err
		}
		link, sticky := links && st.Mode&unix.S_IFMT == unix.S_IFLNK, st.Mode&unix.S_ISVTX != 0
		if !owner.Trusted(dir, st.Uid) || !link && (st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 && !sticky) {
			return fmt.Errorf("%s: %w", dir, ErrPlace)
		}
		if dir == "/" {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}
