package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// nsFile is the name of a namespace type in /proc/PID/ns (namespaces(7)).
func nsFile(typ string) string {
	switch typ {
	case "mount":
		return "mnt"
	case "network":
		return "net"
	}
	return typ
}

func nsTypes() []string {
	return []string{"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"}
}

// probeKernel asks what the kernel has.
func probeKernel() Kernel {
	var k Kernel
	for _, t := range nsTypes() {
		if exists("/proc/self/ns/" + nsFile(t)) {
			k.Namespaces = append(k.Namespaces, t)
		}
	}
	// No file is named: a kernel that knows the call answers EBADF or EINVAL.
	err := unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID})
	k.MountSetattr = !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM)
	return k
}

// hostNamespace is what counts as the host's: process 1's and our own, which
// is the engine's. Process 1 may have more privilege than we, and then hides
// its namespaces: its descendants down to us, and the number that the kernel
// gives the first namespace of each type, stand for it. nil is "cannot be
// told".
func hostNamespace(typ string) []FileID {
	own, err := namespaceOf("self", typ)
	if err != nil {
		return nil
	}
	ids := []FileID{own}
	first, err := namespaceOf("1", typ)
	switch {
	case err == nil:
		return append(ids, first)
	case !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM):
		return nil
	}
	for pid := unix.Getppid(); pid > 1; pid = parent(pid) {
		if id, err := namespaceOf(strconv.Itoa(pid), typ); err == nil {
			ids = append(ids, id)
		}
	}
	if ino := initialInode(typ); ino != 0 {
		ids = append(ids, FileID{own.Dev, ino})
	}
	return ids
}

func namespaceOf(pid, typ string) (FileID, error) {
	var st unix.Stat_t
	err := unix.Stat("/proc/"+pid+"/ns/"+nsFile(typ), &st)
	return FileID{st.Dev, st.Ino}, err
}

// initialInode is the inode of the first namespace of a type (kernel,
// include/uapi/linux/nsfs.h; those of net and mnt are fixed since 6.18).
func initialInode(typ string) uint64 {
	switch typ {
	case "ipc":
		return 0xEFFFFFFF
	case "uts":
		return 0xEFFFFFFE
	case "user":
		return 0xEFFFFFFD
	case "pid":
		return 0xEFFFFFFC
	case "cgroup":
		return 0xEFFFFFFB
	case "time":
		return 0xEFFFFFFA
	case "network":
		return 0xEFFFFFF9
	case "mount":
		return 0xEFFFFFF8
	}
	return 0
}

// parent is the parent of a process, 0 where it cannot be told.
func parent(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The command may hold brackets: the fields start behind the last one.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	ppid, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return ppid
}

// nsType names a clone flag (ioctl_nsfs(2)).
func nsType(flag int) string {
	switch flag {
	case unix.CLONE_NEWPID:
		return "pid"
	case unix.CLONE_NEWNET:
		return "network"
	case unix.CLONE_NEWNS:
		return "mount"
	case unix.CLONE_NEWIPC:
		return "ipc"
	case unix.CLONE_NEWUTS:
		return "uts"
	case unix.CLONE_NEWUSER:
		return "user"
	case unix.CLONE_NEWCGROUP:
		return "cgroup"
	case unix.CLONE_NEWTIME:
		return "time"
	}
	return ""
}
