package effects

import (
	"fmt"
	"os"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func hasUserNS(s *specs.Spec) bool {
	return s.Linux != nil && slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == specs.UserNamespace })
}

// stateless are the devices of which one node is as good as another (Linux,
// Documentation/admin-guide/devices.txt): null, zero, full, random, urandom.
func stateless(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && unix.Major(st.Rdev) == 1 && slices.Contains([]uint32{3, 5, 7, 8, 9}, unix.Minor(st.Rdev))
}

// isNull: runc leaves /dev/null alone.
func isNull(st *unix.Stat_t) bool { return unix.Minor(st.Rdev) == 3 }

func ownDevices(fds []int, leaveNull bool) error {
	dir := -1
	defer func() {
		if dir >= 0 {
			_ = unix.Close(dir)
		}
	}()
	for i, fd := range fds {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || !stateless(&st) || leaveNull && isNull(&st) {
			continue
		}
		if dir < 0 {
			var err error
			if dir, err = detachedDir(); err != nil {
				return fmt.Errorf("standard stream %d: %w", fd, err)
			}
		}
		if err := ownDevice(dir, fmt.Sprint(i), fd, &st); err != nil {
			return fmt.Errorf("standard stream %d: %w", fd, err)
		}
	}
	return nil
}

// detachedDir is a file system in memory that is mounted nowhere, and ends with
// what is open of it.
func detachedDir() (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("fsopen", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, os.NewSyscallError("fsconfig", err)
	}
	dir, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR_NOSUID)
	return dir, os.NewSyscallError("fsmount", err)
}

// ownDevice makes the node anew, and lets the descriptor lead to it.
func ownDevice(dir int, name string, fd int, st *unix.Stat_t) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if err := unix.Mknodat(dir, name, unix.S_IFCHR|0o600, int(st.Rdev)); err != nil {
		return os.NewSyscallError("mknod", err)
	}
	if err := unix.Fchmodat(dir, name, st.Mode&0o777, 0); err != nil {
		return os.NewSyscallError("chmod", err)
	}
	own, err := unix.Openat(dir, name, flags&(unix.O_ACCMODE|unix.O_APPEND|unix.O_NONBLOCK)|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer unix.Close(own)
	return os.NewSyscallError("dup3", unix.Dup3(own, fd, 0))
}
