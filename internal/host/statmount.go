package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unsafe"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// The kernel tells of one mount after the other, if it is asked for no more than
// that (statmount(2), listmount(2)). /proc/thread-self/mountinfo has the options of
// each file system too, and takes four times as long where many are overlays.
// Where it is not certain that the kernel tells all, mountinfo is read.

// many is how many mounts there must be: with less, a few reads of mountinfo are
// less work.
const many = 128

// These are what statmount is asked for (include/uapi/linux/mount.h).
const (
	statSuper = 0x1 | 0x2 // SB_BASIC, MNT_BASIC
	statNames = 0x8 | 0x10 | 0x20
	statOpts  = 0x80
	// statMask is of kernel 6.15 and later. With them the options have those of
	// security modules too.
	statMask = 0x1000
)

// wholeNamespace is LSMT_ROOT.
const wholeNamespace = ^uint64(0)

// mountRequest is struct mnt_id_req.
type mountRequest struct {
	size, spare   uint32
	id, param, ns uint64
}

const requestSize = 24 // MNT_ID_REQ_SIZE_VER0

var errStatmount = errors.New("statmount: not what was asked for")

// listMounts are the mounts of this thread; false is to be read from mountinfo.
func listMounts() ([]mount, bool) {
	ids := make([]uint64, many)
	n, err := listmount(0, ids)
	if err != nil || n < many {
		return nil, false
	}
	ids = append(ids, make([]uint64, 15*many)...)
	for have := n; ; {
		if n, err = listmount(ids[have-1], ids[have:]); err != nil {
			return nil, false
		}
		if have += n; have < len(ids) {
			ids = ids[:have]
			break
		}
		ids = append(ids, make([]uint64, have)...)
	}
	all := make([]mount, 0, len(ids))
	buf := make([]byte, 4096)
	for _, id := range ids {
		s, err := statmount(id, statSuper|statNames|statMask, buf)
		if errors.Is(err, unix.ENOENT) {
			continue // it is gone
		}
		if err != nil {
			return nil, false
		}
		m, err := s.mount()
		if err != nil {
			return nil, false
		}
		if m.Mountpoint != "" { // not outside of our root
			all = append(all, m)
		}
	}
	return all, true
}

// mountAt is the mount that path lies on, and has the number given; false is to be
// looked for in mountinfo.
func mountAt(path string, number int) (mount, bool) {
	var stx unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID_UNIQUE, &stx); err != nil || stx.Mask&unix.STATX_MNT_ID_UNIQUE == 0 {
		return mount{}, false
	}
	s, err := statmount(stx.Mnt_id, statSuper|statNames|statMask, make([]byte, 4096))
	if err != nil {
		return mount{}, false
	}
	m, err := s.mount()
	return m, err == nil && m.ID == number && m.Mountpoint != ""
}

// listmount fills ids with the mounts behind after.
func listmount(after uint64, ids []uint64) (int, error) {
	req := mountRequest{size: requestSize, id: wholeNamespace, param: after}
	n, _, errno := unix.Syscall6(unix.SYS_LISTMOUNT, uintptr(unsafe.Pointer(&req)), uintptr(unsafe.Pointer(&ids[0])), uintptr(len(ids)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// statted is struct statmount, with the texts behind it.
type statted []byte

// statText is where the texts begin: struct statmount is 512 bytes long.
const statText = 512

// statmount asks for one mount.
func statmount(id, mask uint64, buf []byte) (statted, error) {
	req := mountRequest{size: requestSize, id: id, param: mask}
	clear(buf[:statText])
	_, _, errno := unix.Syscall6(unix.SYS_STATMOUNT, uintptr(unsafe.Pointer(&req)), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	s := statted(buf)
	if size := s.number(0); size < statText || uint64(size) > uint64(len(buf)) || s.long(8)&^statOpts != mask&^statOpts {
		return nil, errStatmount
	}
	return s, nil
}

func (s statted) number(at int) uint32 { return binary.NativeEndian.Uint32(s[at:]) }
func (s statted) long(at int) uint64   { return binary.NativeEndian.Uint64(s[at:]) }

// text is the one whose place the number at tells.
func (s statted) text(at int) (string, error) {
	from := uint64(statText) + uint64(s.number(at))
	if from >= uint64(len(s)) {
		return "", errStatmount
	}
	end := bytes.IndexByte(s[from:], 0)
	if end < 0 {
		return "", errStatmount
	}
	return string(s[from : from+uint64(end)]), nil
}

// The places of the members of struct statmount, in bytes.
const (
	atOpts, atMajor, atMinor, atFlags, atType, atUnique, atNumber, atAttr, atRoot, atPoint = 4, 16, 20, 32, 36, 40, 56, 64, 104, 108
)

func (s statted) mount() (mount, error) {
	m := mount{ID: int(s.number(atNumber)), Major: int(s.number(atMajor)), Minor: int(s.number(atMinor)), key: s.long(atUnique)}
	var err1, err2, err3 error
	m.Root, err1 = s.text(atRoot)
	m.Mountpoint, err2 = s.text(atPoint)
	m.kind, err3 = s.text(atType)
	return m, errors.Join(err1, err2, err3)
}

// infoOf is all that mountinfo would say of a mount that statmount told.
func infoOf(m *mount) (*mountinfo.Info, error) {
	s, err := statmount(m.key, statSuper|statNames|statMask|statOpts, make([]byte, 64<<10))
	if err != nil {
		return nil, err
	}
	now, err := s.mount()
	if err != nil {
		return nil, err
	}
	options := ""
	if s.long(8)&statOpts != 0 { // there are some
		if options, err = s.text(atOpts); err != nil {
			return nil, err
		}
	}
	super := superOptions(s.number(atFlags))
	if options != "" {
		super += "," + options
	}
	return &mountinfo.Info{
		ID: now.ID, Major: now.Major, Minor: now.Minor, Root: now.Root, Mountpoint: now.Mountpoint, FSType: now.kind,
		Options: mountOptions(s.long(atAttr)), VFSOptions: super,
	}, nil
}

// superOptions are the flags of a file system, as mountinfo names them
// (fs/proc_namespace.c).
func superOptions(flags uint32) string {
	all := []string{"rw"}
	if flags&unix.MS_RDONLY != 0 {
		all[0] = "ro"
	}
	for _, o := range []struct {
		flag uint32
		name string
	}{{unix.MS_SYNCHRONOUS, "sync"}, {unix.MS_DIRSYNC, "dirsync"}, {unix.MS_LAZYTIME, "lazytime"}} {
		if flags&o.flag != 0 {
			all = append(all, o.name)
		}
	}
	return strings.Join(all, ",")
}

// mountOptions are the flags of a mount, as mountinfo names them.
func mountOptions(attr uint64) string {
	all := []string{"rw"}
	if attr&unix.MOUNT_ATTR_RDONLY != 0 {
		all[0] = "ro"
	}
	for _, o := range []struct {
		is   bool
		name string
	}{
		{attr&unix.MOUNT_ATTR_NOSUID != 0, "nosuid"},
		{attr&unix.MOUNT_ATTR_NODEV != 0, "nodev"},
		{attr&unix.MOUNT_ATTR_NOEXEC != 0, "noexec"},
		{attr&unix.MOUNT_ATTR__ATIME == unix.MOUNT_ATTR_NOATIME, "noatime"},
		{attr&unix.MOUNT_ATTR_NODIRATIME != 0, "nodiratime"},
		{attr&unix.MOUNT_ATTR__ATIME == unix.MOUNT_ATTR_RELATIME, "relatime"},
		{attr&unix.MOUNT_ATTR_NOSYMFOLLOW != 0, "nosymfollow"},
		{attr&unix.MOUNT_ATTR_IDMAP != 0, "idmapped"},
	} {
		if o.is {
			all = append(all, o.name)
		}
	}
	return strings.Join(all, ",")
}
