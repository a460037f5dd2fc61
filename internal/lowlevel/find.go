// Package lowlevel finds, asks, vets and runs the low-level runtime: runc or
// crun.
//
// Guarantees: the file that runs is the one that was asked for its version, and
// only root, or the user we are, can change it; a version with a known way out of
// the container is not used unless the policy names it; hatchdog never runs itself.
// Does not cover: a low-level runtime that lies about its version.
// Requires: a runtime that answers `--version` and `features`.
// Spec fields touched: none.
package lowlevel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Errors of Find.
var (
	ErrMissing = errors.New("low-level runtime: not found")
	ErrSelf    = errors.New("low-level runtime: it is hatchdog itself")
	ErrNoExec  = errors.New("low-level runtime: not an executable file")
	ErrOpen    = errors.New("low-level runtime: users other than root can change it")
)

// usualPath is searched where the engine has no PATH: Podman deletes without one.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Find is the low-level runtime's path: the policy's, or the first of runc and
// crun in an absolute directory of PATH that is not hatchdog under their name. A
// path comes with ErrOpen too.
func Find(r policy.Runtime, getenv func(string) string) (string, error) {
	if r.Path != "" {
		err := usable(r.Path)
		if err != nil && !errors.Is(err, ErrOpen) {
			return "", err
		}
		return r.Path, err
	}
	search := getenv("PATH")
	if search == "" {
		search = usualPath
	}
	for _, name := range []string{"runc", "crun"} {
		for _, dir := range filepath.SplitList(search) {
			path := filepath.Join(dir, name)
			if filepath.IsAbs(dir) && usable(path) == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%w: neither runc nor crun is in %s; install one, or set runtime.path in the policy", ErrMissing, search)
}

func usable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrMissing, path)
	case err != nil:
		return fmt.Errorf("low-level runtime: %w", err)
	case !info.Mode().IsRegular() || unix.Access(path, unix.X_OK) != nil:
		return fmt.Errorf("%w: %s", ErrNoExec, path)
	case othersWrite(path, info):
		return fmt.Errorf("%w: %s", ErrOpen, path)
	}
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("low-level runtime: %w", err)
	}
	if os.SameFile(info, self) {
		return fmt.Errorf("%w: %s", ErrSelf, path)
	}
	return nil
}

// othersWrite looks at the file alone: /usr/local/bin is a group's on many hosts.
func othersWrite(path string, info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || !owner.Trusted(path, st.Uid) || st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != 0
}

// Bundle is the bundle of a container that runc created (libcontainer's
// state.json: config.labels).
func Bundle(root, id string) (string, error) {
	labels, err := stateLabels(filepath.Join(root, id, "state.json"))
	if err != nil {
		return "", err
	}
	found := ""
	for _, l := range labels {
		dir, ok := strings.CutPrefix(l, "bundle=")
		switch {
		case !ok:
		case found != "": // annotations are labels too, and runc takes the first
			return "", errTwoBundles
		default:
			found = dir
		}
	}
	if !filepath.IsAbs(found) {
		return "", errNoBundle
	}
	return found, nil
}

var errTwoBundles = errors.New("the low-level runtime's state names the bundle twice: an annotation says where it is")

var errNoBundle = errors.New("the low-level runtime's state does not name the bundle")
