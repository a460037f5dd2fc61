package door

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// zone is how the policy of the stage sees a file, worked out from where it was
// made: a second opinion, which knows nothing of names and links.
type zone int

const (
	open zone = iota
	readable
	closed
)

// somebody is a user of the host who is not root.
const somebody = 1000

type dir struct {
	path string
	uid  int
	zone zone
}

// dirs are the directories of every host, and whose they are.
var dirs = []dir{
	{"host", 0, open},
	{"host/secret", 0, closed},
	{"host/secret/deep", 0, closed},
	{"host/secret/lent", 0, open},
	{"host/secret/lent/sub", 0, open},
	{"host/programs", 0, readable},
	{"host/programs/sub", 0, readable},
	{"host/open", 0, open},
	{"host/open/sub", 0, open},
	{"users", somebody, open},
	{"users/u", somebody, open},
	{"users/u/d", somebody, open},
	{"users/u/d/e", somebody, open},
	{"users/box", somebody, open},
	{"users/box/rootfs", somebody, open},
	{"bundle", 0, open},
	{"bundle/rootfs", 0, open},
	{"bundle/rootfs/etc", 0, open},
	{"audit", 0, open},
	{"ids", 0, open},
	{"state", 0, open},
	{"root", 0, open},
}

// stand is the host of one request.
type stand struct {
	at    string
	zones map[identity]zone
	hook  identity // the one program that may be a hook
}

// build makes the host. Everything is on a file system that goes as a whole.
func (s *stage) build(q *played) (*stand, error) {
	h := &stand{at: s.at, zones: map[identity]zone{}}
	if err := os.Mkdir(s.at, 0o755); err != nil {
		return h, err
	}
	if err := unix.Mount("tmpfs", s.at, "tmpfs", 0, "size=16m,mode=0755"); err != nil {
		return h, err
	}
	for _, d := range dirs {
		if err := h.make(d.path, d.uid, d.zone); err != nil {
			return h, err
		}
	}
	if err := h.specials(); err != nil {
		return h, err
	}
	for _, dir := range []string{"bundle", "users/box"} {
		if err := os.WriteFile(filepath.Join(s.at, dir, "config.json"), []byte(s.path(string(q.config))), 0o600); err != nil {
			return h, err
		}
	}
	for _, l := range q.links {
		at := filepath.Join(s.at, l.at)
		_ = os.Symlink(s.path(l.target), at)
		_ = os.Lchown(at, ownerOf(l.at), ownerOf(l.at))
	}
	for _, m := range q.mounts {
		if err := h.mount(m); err != nil {
			return h, err
		}
	}
	return h, nil
}

func ownerOf(path string) int {
	if strings.HasPrefix(path, "users") {
		return somebody
	}
	return 0
}

func (h *stand) make(path string, uid int, z zone) error {
	at := filepath.Join(h.at, path)
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	file := filepath.Join(at, "f")
	if err := os.WriteFile(file, []byte(path), 0o644); err != nil {
		return err
	}
	for _, p := range []string{at, file} {
		if err := os.Chown(p, uid, uid); err != nil {
			return err
		}
		if err := h.mark(p, z); err != nil {
			return err
		}
	}
	return nil
}

func (h *stand) mark(path string, z zone) error {
	id, _, err := lstat(path)
	h.zones[id] = z
	return err
}

// specials are a hook, a FIFO, a socket and device nodes.
func (h *stand) specials() error {
	hook := h.at + "/host/programs/hook"
	if err := os.WriteFile(hook, []byte("#!/bin/sh\n"), 0o755); err != nil {
		return err
	}
	if err := h.mark(hook, readable); err != nil {
		return err
	}
	h.hook, _, _ = lstat(hook)
	for _, n := range []struct {
		path string
		mode uint32
		dev  uint64
		zone zone
	}{
		{"host/open/fifo", unix.S_IFIFO | 0o666, 0, closed},
		{"host/open/sock", unix.S_IFSOCK | 0o666, 0, closed},
		{"host/open/disk", unix.S_IFBLK | 0o666, unix.Mkdev(7, 0), closed},
		{"host/open/null", unix.S_IFCHR | 0o666, unix.Mkdev(1, 3), open},
	} {
		at := filepath.Join(h.at, n.path)
		if err := unix.Mknod(at, n.mode, int(n.dev)); err != nil {
			return fmt.Errorf("%s: %w", n.path, err)
		}
		if err := h.mark(at, n.zone); err != nil {
			return err
		}
	}
	return nil
}

// mount makes a drawn mount. What is on a new file system is as closed as the
// place that it covers.
func (h *stand) mount(m mount) error {
	at := filepath.Join(h.at, m.at)
	_, mode, err := lstat(at)
	if err != nil || !mode.IsDir() {
		return nil //nolint:nilerr // a link took its place
	}
	if m.from != "" {
		_ = unix.Mount(filepath.Join(h.at, m.from), at, "", unix.MS_BIND|unix.MS_REC, "") // covered meanwhile
		return nil
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m,mode=0755"); err != nil {
		return err
	}
	i := slices.IndexFunc(dirs, func(d dir) bool { return d.path == m.at })
	return h.mark(at, dirs[i].zone)
}

func (h *stand) remove() {
	_ = unix.Unmount(h.at, unix.MNT_DETACH)
	_ = os.Remove(h.at)
}
