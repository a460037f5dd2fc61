package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// The bounds of what is told of a writable layer.
const (
	entriesMost = 50000
	depthMost   = 128
	digestMost  = 64 << 20  // bytes of one file
	digestsMost = 512 << 20 // of all
)

// Entry is one thing that the writable layer holds: written since the container
// was made, or taken away.
type Entry struct {
	Path   string    `json:"path"`
	Kind   string    `json:"kind"` // file, directory, link, deleted, device, pipe, socket
	Mode   string    `json:"mode"`
	UID    uint32    `json:"uid"`
	GID    uint32    `json:"gid"`
	Size   int64     `json:"size,omitempty"`
	Time   time.Time `json:"time"`
	SHA256 string    `json:"sha256,omitempty"`
	Link   string    `json:"link,omitempty"` // where it leads
	Caps   bool      `json:"fileCapabilities,omitempty"`
}

// Layer is a writable layer.
type Layer struct {
	Entries []Entry  `json:"entries"`
	Lacks   []string `json:"lacks,omitempty"`
}

// ErrNoLayer means that the root file system is not a layer on others.
var ErrNoLayer = errors.New("its root file system is no overlay: what was written cannot be told from what was there")

// Upper finds the writable layer of a root file system, by the host's own list of
// mounts: what the container mounts is not asked.
func Upper(rootfs string) (string, error) {
	all, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(filepath.Clean(rootfs)))
	if err != nil {
		return "", fmt.Errorf("mounts of the host: %w", err)
	}
	if len(all) == 0 || all[0].FSType != "overlay" {
		return "", ErrNoLayer
	}
	for o := range strings.SplitSeq(all[0].VFSOptions, ",") {
		if dir, ok := strings.CutPrefix(o, "upperdir="); ok {
			return dir, nil
		}
	}
	return "", ErrNoLayer
}

// ReadLayer lists a writable layer, and digests its files.
func ReadLayer(dir string) (Layer, error) {
	var l Layer
	root, err := os.OpenRoot(dir)
	if err != nil {
		return l, fmt.Errorf("the writable layer: %w", err)
	}
	defer func() { _ = root.Close() }()
	r := &reader{root: root, layer: &l, left: digestsMost}
	r.walk(".", 0)
	return l, nil
}

type reader struct {
	root  *os.Root
	layer *Layer
	left  int64 // bytes that may be digested
	full  bool
}

func (r *reader) lack(format string, args ...any) {
	const most = 100
	if len(r.layer.Lacks) < most {
		r.layer.Lacks = append(r.layer.Lacks, fmt.Sprintf(format, args...))
	}
}

// walk goes through a directory a part at a time: it may be as large as a disk.
func (r *reader) walk(dir string, depth int) {
	if depth > depthMost {
		r.lack("%s lies too deep", dir)
		return
	}
	d, err := r.root.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		r.lack("%s: %v", dir, err)
		return
	}
	defer d.Close()
	for !r.full {
		const part = 256
		names, err := d.Readdirnames(part)
		for _, n := range names {
			r.entry(path.Join(dir, n), depth)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.lack("%s: %v", dir, err)
			}
			return
		}
	}
}

func (r *reader) entry(name string, depth int) {
	if len(r.layer.Entries) == entriesMost {
		if !r.full {
			r.lack("there are more than %d entries", entriesMost)
		}
		r.full = true
		return
	}
	info, err := r.root.Lstat(name)
	if err != nil {
		r.lack("%s: %v", name, err)
		return
	}
	st, ok := info.Sys().(*unixStat)
	if !ok {
		return
	}
	e := Entry{Path: "/" + name, Kind: kindOf(info.Mode(), st), Mode: info.Mode().String(), UID: st.Uid, GID: st.Gid, Time: info.ModTime().UTC()}
	switch e.Kind {
	case "file":
		e.Size = info.Size()
		e.SHA256, e.Caps = r.digest(name, info)
	case "link":
		e.Link, _ = r.root.Readlink(name)
		e.Link = e.Link[:min(len(e.Link), nameMost)]
	}
	r.layer.Entries = append(r.layer.Entries, e)
	if e.Kind == "directory" {
		r.walk(name, depth+1)
	}
}

func kindOf(m fs.FileMode, st *unixStat) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "link"
	case m&fs.ModeCharDevice != 0 && st.Rdev == 0:
		return "deleted" // overlay's whiteout
	case m&fs.ModeDevice != 0:
		return "device"
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	}
	return "socket"
}

// digest opens what was looked at, and nothing but a regular file: another may lie
// there by now.
func (r *reader) digest(name string, info fs.FileInfo) (sum string, caps bool) {
	if info.Size() > digestMost || info.Size() > r.left {
		r.lack("%s: %d bytes are not digested", name, info.Size())
		return "", false
	}
	at, err := r.root.OpenFile(name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", false
	}
	defer at.Close()
	if now, err := at.Stat(); err != nil || !now.Mode().IsRegular() {
		return "", false
	}
	own := fmt.Sprintf("/proc/self/fd/%d", at.Fd())
	size, err := unix.Getxattr(own, "security.capability", nil)
	caps = err == nil && size > 0
	f, err := os.OpenFile(own, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", caps
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, digestMost))
	r.left -= n
	if err != nil {
		r.lack("%s: %v", name, err)
		return "", caps
	}
	return hex.EncodeToString(h.Sum(nil)), caps
}
