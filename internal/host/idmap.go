package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Support is the answer to whether something can be done. The zero value is no.
type Support struct {
	OK  bool   `json:"ok"`
	Why string `json:"why,omitempty"` // why not
}

func no(format string, args ...any) Support { return Support{Why: fmt.Sprintf(format, args...)} }

// idmapProbe finds out what takes an id mapping, by doing it. It keeps what it
// found with the kernel's version. An inconclusive answer counts as no and is not
// kept.
type idmapProbe struct {
	file    string // "" keeps nothing
	answers answers
	changed bool
	userns  int // descriptor of a user namespace, made when it is needed
}

type answers struct {
	Kernel string             `json:"kernel"`
	Found  map[string]Support `json:"found"`
}

func newIdmapProbe(dir string) *idmapProbe {
	p := &idmapProbe{userns: -1, answers: answers{kernelVersion(), map[string]Support{}}}
	if dir == "" {
		return p
	}
	p.file = filepath.Join(dir, "@idmap.json")
	var kept answers
	data, err := readOwn(p.file)
	if err == nil && json.Unmarshal(data, &kept) == nil && kept.Kernel == p.answers.Kernel && kept.Found != nil {
		p.answers = kept
	}
	return p
}

func (p *idmapProbe) close() {
	if p.userns >= 0 {
		_ = unix.Close(p.userns)
	}
	if !p.changed || p.file == "" {
		return
	}
	// An answer that cannot be kept is asked for again.
	data, err := json.Marshal(p.answers)
	if err != nil || os.MkdirAll(filepath.Dir(p.file), 0o711) != nil {
		return
	}
	tmp := fmt.Sprintf("%s.%d", p.file, os.Getpid())
	if os.WriteFile(tmp, data, 0o600) != nil || os.Rename(tmp, p.file) != nil {
		_ = os.Remove(tmp)
	}
}

// readOwn reads a file that only we can have written.
func readOwn(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	const most = 1 << 20
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > most {
		return nil, fmt.Errorf("%s: %w", name, os.ErrPermission)
	}
	data := make([]byte, st.Size)
	n, err := f.Read(data)
	return data[:max(n, 0)], err
}

func kernelVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Version[:])
}

// keep answers from what is kept, or asks.
func (p *idmapProbe) keep(key string, ask func() (Support, bool)) Support {
	if s, ok := p.answers.Found[key]; ok {
		return s
	}
	s, conclusive := ask()
	if conclusive {
		p.answers.Found[key] = s
		p.changed = true
	}
	return s
}

// probeRange is mapped for a moment by probes. Nothing is written with it.
func probeRange() IDRange { return IDRange{Base: 1879048192, Size: 1} }

// userNamespaces tells whether this host makes user namespaces.
func (p *idmapProbe) userNamespaces() Support {
	return p.keep("userns", func() (Support, bool) {
		if err := p.carrier(); err != nil {
			return no("this host makes no user namespace: %v", err), errors.Is(err, unix.EINVAL)
		}
		return Support{OK: true}, true
	})
}

func (p *idmapProbe) carrier() (err error) {
	if p.userns < 0 {
		p.userns, err = UserNamespace(probeRange())
	}
	return err
}

// takes tells whether the file system of an open file takes an id mapping.
func (p *idmapProbe) takes(fd int) Support {
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err := errors.Join(unix.Fstatfs(fd, &fs), unix.Fstat(fd, &st)); err != nil {
		return no("%v", err)
	}
	key := fmt.Sprintf("fs %x %d:%d", fs.Type, unix.Major(st.Dev), unix.Minor(st.Dev))
	return p.keep(key, func() (Support, bool) {
		if err := p.carrier(); err != nil {
			return no("%v", err), false
		}
		err := idmapCopy(fd, p.userns)
		switch {
		case err == nil:
			return Support{OK: true}, true
		case !errors.Is(err, errOpenTree) && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS)):
			return no("its file system (%s) takes no id mapping on this kernel", fsName(fs.Type)), true
		}
		return no("its file system (%s) could not be mapped: %v", fsName(fs.Type), err), false
	})
}

func (p *idmapProbe) takesPath(path string) Support {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return no("%v", err)
	}
	defer unix.Close(fd)
	return p.takes(fd)
}

// errOpenTree says nothing of the file system: an unbindable mount has it too.
var errOpenTree = errors.New("open_tree")

// idmapCopy maps a detached copy of the mount, which nobody sees.
func idmapCopy(fd, userns int) error {
	tree, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("%w: %w", errOpenTree, err)
	}
	defer unix.Close(tree)
	return Idmap(tree, userns, 0)
}

// Idmap maps the ids of a detached mount. flags may be AT_RECURSIVE.
func Idmap(tree, userns int, flags uint) error {
	err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|flags, &unix.MountAttr{
		Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns),
	})
	if err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return nil
}
