package host

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// examineRoot looks at the directory of a root file system, and holds it.
func (s *Sources) examineRoot(bundle, path string, names *nameTable) *Root {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &Root{Source: Source{Err: err.Error()}, Missing: errors.Is(err, unix.ENOENT)}
	}
	s.root = fd
	r := &Root{Source: examine(fd, path, names)}
	rest, in := below(bundle, r.Resolved)
	r.InBundle = in && rest != "." && bundle != "/"
	r.Upper, r.Links = names.upper(r.Resolved), links(fd)
	return r
}

// upper is the upper layer of the overlay that is mounted at path; the zero
// value is none.
func (t *nameTable) upper(path string) FileID {
	for i := range t.mounts {
		if t.mounts[i].Mountpoint != path || !t.mounts[i].overlay() {
			continue
		}
		m, err := t.mounts[i].info()
		if err != nil || m.FSType != "overlay" {
			continue
		}
		var st unix.Stat_t
		if o, err := parseOverlay(m, path); err == nil && o.Upper != "" && unix.Stat(o.Upper, &st) == nil {
			return FileID{st.Dev, st.Ino}
		}
	}
	return FileID{}
}

// globs finds what the paths with a * stand for. One that cannot be read stands
// for nothing.
func globs(p *policy.Profile) map[string][]string {
	found := map[string][]string{}
	for _, r := range slices.Concat(p.Mounts.Masked, p.Mounts.ReadOnly) {
		if strings.Contains(r.Path, "*") {
			found[r.Path], _ = filepath.Glob(r.Path) // only a bad pattern is an error
		}
	}
	return found
}

// nodes looks at what this host has at the paths of the devices: in a user
// namespace the low-level runtime takes the file there, whatever numbers the
// spec gives (libcontainer, bindMountDeviceNode).
func nodes(s *specs.Spec) map[string]Node {
	if s.Linux == nil || len(s.Linux.Devices) == 0 {
		return nil
	}
	found := map[string]Node{}
	for _, d := range s.Linux.Devices {
		var st unix.Stat_t
		if unix.Stat(d.Path, &st) != nil {
			continue
		}
		n := Node{Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev))}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFCHR:
			n.Type = "c"
		case unix.S_IFBLK:
			n.Type = "b"
		default:
			continue
		}
		found[d.Path] = n
	}
	return found
}
