package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

// UserNS is what a user namespace of a container's own needs of this host.
type UserNS struct {
	// Kernel tells whether this host makes user namespaces at all.
	Kernel Support `json:"kernel"`
	// Place tells whether the root of a user namespace could reach the
	// container's mounts.
	Place Support `json:"place"`
	// Root is the container's root file system.
	Root RootFS `json:"root"`
	// Range are the ids that were set aside for the container.
	Range IDRange `json:"range"`
	// Owners says whose ids there are, where the spec maps some.
	Owners IDOwners `json:"owners"`
}

// RootFS is a root file system on this host.
type RootFS struct {
	Path string `json:"path"` // absolute
	// Overlay is set where it is an overlay mount.
	Overlay *Overlay `json:"overlay,omitempty"`
	Idmap   Support  `json:"idmap"`
	// Owners are users and groups from 65536 on that the image says it has: of
	// some of its files and in its accounts, one for each 65,536.
	Owners []uint32 `json:"owners,omitempty"`
}

// UserNSOwner is the user namespace that another namespace belongs to.
type UserNSOwner struct {
	// Host is true where it is the host's, or could not be told.
	Host bool `json:"host"`
	// ID is its identity, where Path is set.
	ID FileID `json:"id,omitzero"`
	// Path leads to it; "" where no process is known that lives in it.
	Path string `json:"path,omitempty"`
	// Range is its mapping, where that is one of ours.
	Range IDRange `json:"range"`
}

// userns looks at the root file system and at the sources. all is the mount table.
func (s *Sources) userns(r Request, found map[string]Source, all []mount) UserNS {
	p := newIdmapProbe(r.StateDir)
	defer p.close()
	u := UserNS{Kernel: p.userNamespaces(), Place: reachable(r.StateDir)}
	if r.Spec.Root == nil || !u.Kernel.OK {
		return u
	}
	u.Root = p.root(s.root, inBundle(r.Bundle, r.Spec.Root.Path), all)
	if u.Root.Idmap.OK {
		u.Root.Owners = imageOwners(s.root)
	}
	for source, fd := range s.open {
		src := found[source]
		if src.Err == "" {
			src.Idmap = p.tree(fd, src.Resolved, all)
			found[source] = src
		}
	}
	return u
}

// root tells whether all layers of the root file system take a mapping.
func (p *idmapProbe) root(fd int, path string, all []mount) RootFS {
	r := RootFS{Path: path}
	if fd < 0 {
		r.Idmap = no("%v", unix.ENOENT)
		return r
	}
	at, err := placeOf(fd)
	if err != nil {
		r.Idmap = no("%v", err)
		return r
	}
	r.Path = at.path
	if r.Overlay, err = overlayOf(at, all); err != nil {
		r.Idmap = no("%v", err)
		return r
	}
	if r.Overlay == nil {
		r.Idmap = p.tree(fd, at.path, all)
		return r
	}
	if m := mountedBelow(at.path, all); m != "" {
		r.Idmap = no("%v (%s)", errBelow, m)
		return r
	}
	for _, layer := range r.Overlay.All() {
		// It is opened by its name again, to be mapped.
		if !bundle.Steady(layer) {
			r.Idmap = no("layer %s: %v", layer, bundle.ErrUnsteady)
			return r
		}
		if s := p.takesPath(layer); !s.OK {
			r.Idmap = no("layer %s: %s", layer, s.Why)
			return r
		}
	}
	r.Idmap = p.overlays(r.Overlay.Lower[0])
	return r
}

// tree tells whether a file takes a mapping, and all that is mounted below it.
func (p *idmapProbe) tree(fd int, path string, all []mount) Support {
	if s := p.takes(fd); !s.OK {
		return s
	}
	for _, m := range all {
		if _, ok := below(path, m.Mountpoint); !ok || m.Mountpoint == path {
			continue
		}
		if s := p.takesPath(m.Mountpoint); !s.OK {
			return no("%s, which is mounted below it: %s", m.Mountpoint, s.Why)
		}
	}
	return Support{OK: true}
}

func mountedBelow(path string, all []mount) string {
	for _, m := range all {
		if _, ok := below(path, m.Mountpoint); ok && m.Mountpoint != path {
			return m.Mountpoint
		}
	}
	return ""
}

// reachable tells whether anybody may pass through the directories above dir.
// dir itself is made so.
func reachable(dir string) Support {
	if dir == "" {
		return no("there is no state directory")
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		var st unix.Stat_t
		if err := unix.Stat(d, &st); err == nil && st.Mode&0o001 == 0 && os.Geteuid() == 0 {
			return no("the root of a user namespace could not pass through %s to the state directory (mode %04o)", d, st.Mode&0o7777)
		}
		if d == "/" || d == "." {
			return Support{OK: true}
		}
	}
}

// owner finds the user namespace that the namespace belongs to (ioctl_nsfs(2)),
// and a path to it beside that of the namespace.
func (s *space) owner() UserNSOwner {
	host := UserNSOwner{Host: true}
	fd, err := unix.IoctlRetInt(s.fd, unix.NS_GET_USERNS)
	if err != nil {
		return host
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return host
	}
	id := FileID{st.Dev, st.Ino}
	hosts := hostNamespace("user")
	if len(hosts) == 0 || slices.Contains(hosts, id) {
		return host
	}
	if s.dir < 0 || unix.Fstatat(s.dir, "user", &st, 0) != nil || (FileID{st.Dev, st.Ino}) != id {
		return UserNSOwner{}
	}
	beside := filepath.Dir(s.name) + "/user"
	var own IDRange // of one that is not ours
	if ids, err := s.mapping(); err == nil {
		own, _ = rangeOf(ids)
	}
	return UserNSOwner{ID: id, Path: beside, Range: own}
}

// IDMap is one line of a user namespace's mapping (user_namespaces(7)).
type IDMap struct{ Inside, Outside, Size uint32 }

// Mapping reads the mapping of the user namespace at /proc/PID/ns/user. That of
// the groups must be the same.
func Mapping(path string) ([]IDMap, error) {
	proc, ok := strings.CutSuffix(path, "/ns/user")
	if !ok || !strings.HasPrefix(proc, "/proc/") {
		return nil, fmt.Errorf("%s: not a user namespace of a process: %w", path, unix.EINVAL)
	}
	uids, err := os.ReadFile(proc + "/uid_map")
	if err != nil {
		return nil, err
	}
	gids, err := os.ReadFile(proc + "/gid_map")
	if err != nil {
		return nil, err
	}
	return parseMapping(string(uids), string(gids))
}

func parseMapping(uids, gids string) ([]IDMap, error) {
	if uids != gids {
		return nil, fmt.Errorf("users and groups are mapped differently: %w", unix.EINVAL)
	}
	all, err := ParseIDMap(uids)
	if err != nil {
		return nil, fmt.Errorf("uid_map: %w", err)
	}
	return all, nil
}

// ParseIDMap reads the lines of a uid_map or a gid_map (user_namespaces(7)).
func ParseIDMap(text string) ([]IDMap, error) {
	var all []IDMap
	for line := range strings.Lines(text) {
		var m IDMap
		if _, err := fmt.Sscan(line, &m.Inside, &m.Outside, &m.Size); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}
