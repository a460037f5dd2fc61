package inside

import (
	"fmt"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Node is what lies at a path. Its ids are those of the host, as the mount shows
// them.
type Node struct {
	Path      string // in the container, links resolved
	Mode      uint32 // st_mode
	UID, GID  uint32
	Rdev      uint64
	Dev       uint64
	Ino       uint64
	Size      uint64
	Immutable bool
	Appends   bool // only
	ACL       bool
	Mount     *mountinfo.Info // nil where the list does not have it
}

// Dir is true for a directory.
func (n Node) Dir() bool { return n.Mode&unix.S_IFMT == unix.S_IFDIR }

// Regular is true for a regular file.
func (n Node) Regular() bool { return n.Mode&unix.S_IFMT == unix.S_IFREG }

// Device is true for a character or block device.
func (n Node) Device() bool {
	return n.Mode&unix.S_IFMT == unix.S_IFCHR || n.Mode&unix.S_IFMT == unix.S_IFBLK
}

// Number is that of a device; block tells its kind.
func (n Node) Number() (major, minor int64, block bool) {
	return int64(unix.Major(n.Rdev)), int64(unix.Minor(n.Rdev)), n.Mode&unix.S_IFMT == unix.S_IFBLK
}

// SetUID is true for a program that runs as its owner.
func (n Node) SetUID() bool { return n.Mode&unix.S_ISUID != 0 }

// SetGID is true for one that runs as its group.
func (n Node) SetGID() bool { return n.Mode&unix.S_ISGID != 0 && n.Mode&unix.S_IXGRP != 0 }

func (w *walker) node(fd int, name string) (Node, error) {
	var st unix.Statx_t
	const mask = unix.STATX_BASIC_STATS | unix.STATX_MNT_ID
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_NO_AUTOMOUNT, mask, &st); err != nil {
		return Node{}, err
	}
	n := Node{
		Path: name, Mode: uint32(st.Mode), UID: st.Uid, GID: st.Gid, Size: st.Size, Ino: st.Ino,
		Rdev: unix.Mkdev(st.Rdev_major, st.Rdev_minor), Dev: unix.Mkdev(st.Dev_major, st.Dev_minor),
		Immutable: st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0, Appends: st.Attributes&unix.STATX_ATTR_APPEND != 0,
	}
	for _, m := range w.mounts {
		if uint64(m.ID) == st.Mnt_id { //nolint:gosec // ids are positive
			n.Mount = m
		}
	}
	if n.Mode&unix.S_IFMT != unix.S_IFLNK {
		size, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", fd), "system.posix_acl_access", nil)
		n.ACL = err == nil && size > 0
	}
	return n, nil
}

// left says what a file system has none left of for those who are not the host's
// root.
func left(fd int) (noSpace, noInodes bool) {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false, false
	}
	return st.Blocks > 0 && st.Bavail == 0, st.Files > 0 && st.Ffree == 0
}

// storesFiles reports whether a file lies in a file system that holds what was
// written to it, by the numbers of uapi/linux/magic.h, and that of ZFS. Others are
// taken for the kernel's own.
func storesFiles(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	const zfs, bcachefs, jfs, ceph, vboxfs = 0x2fc12fc1, 0xca451a4e, 0x3153464a, 0x00c36400, 0x786f4256
	const exfat, ntfs3, smb2, gfs2, lustre = 0x2011bab0, 0x7366746e, 0xfe534d42, 0x01161970, 0x0bd00bd0
	return slices.Contains([]int64{
		unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.RAMFS_MAGIC,
		unix.F2FS_SUPER_MAGIC, unix.SQUASHFS_MAGIC, unix.EROFS_SUPER_MAGIC_V1, unix.ISOFS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.UDF_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.NFS_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.V9FS_MAGIC, unix.AFS_FS_MAGIC,
		unix.ECRYPTFS_SUPER_MAGIC, unix.HUGETLBFS_MAGIC, unix.REISERFS_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC, unix.NILFS_SUPER_MAGIC,
		zfs, bcachefs, jfs, ceph, vboxfs, exfat, ntfs3, smb2, gfs2, lustre,
	}, int64(st.Type)&0xffffffff) //nolint:unconvert // its width differs with the architecture
}
