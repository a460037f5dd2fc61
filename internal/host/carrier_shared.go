//go:build amd64 || arm64

package host

import "golang.org/x/sys/unix"

// carrier starts the child on the memory of this process: a fork would copy the
// page tables, and every page that is written afterwards once more. The child
// has every signal blocked and makes system calls from registers alone: it
// touches neither memory nor the stack that it shares.
func carrier(flags, parent uintptr) (uintptr, unix.Errno) {
	pid, errno := cloneShared(flags|unix.CLONE_VM, parent)
	return pid, unix.Errno(errno)
}

// cloneShared is clone(2) without a stack of the child's own. The child waits
// until it is killed, or ends where parent is not its parent any more.
//
//go:noescape
func cloneShared(flags, parent uintptr) (pid, errno uintptr)
