package probe

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"time"
)

// Class says what becomes of a call that succeeded.
type Class uint8

// The classes. A call of none is counted, and no more.
const (
	classOpen    Class = iota + 1 // (path, flags)
	classOpen2                    // (path, open_how)
	classCreate                   // (path)
	classChange                   // (path, directory)
	classBind                     // (socket, address)
	classConnect                  // (socket, address)
	classSend                     // (socket, address)
	classMessage                  // (socket, msghdr)
	classFile                     // gives an open file
)

// Call says what of a call counts: which arguments are told apart, and what its
// other ones mean.
type Call struct {
	Class         Class
	Gives         bool // an open file
	First, Second int  // arguments of the class; NoArg is none
	Parts         []Part
}

// NoArg stands for an argument that a call does not have.
const NoArg = -1

// Part is so much of an argument as is told apart: its bits in Mask, moved up.
type Part struct {
	Index int
	Mask  uint64
	Shift uint32
}

// Value is one value of the parts of a call that is told apart. All others are
// OtherArgs.
type Value struct {
	Call uint32
	Arg  uint64
}

// The layout of a Call in the kernel.
const (
	atClass, atGives, atFirstArg, atSecondArg = 0, 1, 2, 3
	atPart, partSize, partsMost               = 8, 16, 3
	callSize                                  = atPart + partSize*partsMost
	noArg                                     = 0xff
)

func (c Call) encode() []byte {
	raw := make([]byte, callSize)
	place := func(arg int) byte {
		if arg == NoArg {
			return noArg
		}
		return byte(argumentsAt()[arg])
	}
	raw[atClass], raw[atFirstArg], raw[atSecondArg] = byte(c.Class), place(c.First), place(c.Second)
	if c.Gives {
		raw[atGives] = 1
	}
	for i, p := range c.Parts {
		at := raw[atPart+partSize*i:]
		binary.NativeEndian.PutUint32(at, uint32(argumentsAt()[p.Index])) //nolint:gosec // small
		binary.NativeEndian.PutUint32(at[4:], p.Shift)
		binary.NativeEndian.PutUint64(at[8:], p.Mask)
	}
	return raw
}

// Classes are what the calls mean that open, change names and reach out, by name.
func Classes() map[string]Call {
	all := map[string]Call{
		"open": {Class: classOpen, Gives: true, First: 0, Second: 1}, "openat": {Class: classOpen, Gives: true, First: 1, Second: 2},
		"openat2": {Class: classOpen2, Gives: true, First: 1, Second: 2}, "creat": {Class: classCreate, Gives: true, First: 0, Second: NoArg},
		"bind": {Class: classBind, First: 0, Second: 1}, "connect": {Class: classConnect, First: 0, Second: 1},
		"sendto": {Class: classSend, First: 0, Second: 4}, "sendmsg": {Class: classMessage, First: 0, Second: 1},
		"linkat": {Class: classChange, First: 3, Second: 2}, "link": {Class: classChange, First: 1, Second: NoArg},
		"symlinkat": {Class: classChange, First: 2, Second: 1}, "symlink": {Class: classChange, First: 1, Second: NoArg},
		"renameat": {Class: classChange, First: 3, Second: 2}, "renameat2": {Class: classChange, First: 3, Second: 2},
		"rename": {Class: classChange, First: 1, Second: NoArg},
	}
	for _, name := range []string{"mkdir", "rmdir", "unlink", "mknod", "chmod", "chown", "lchown", "truncate", "utime", "utimes", "setxattr", "lsetxattr", "removexattr", "lremovexattr"} {
		all[name] = Call{Class: classChange, First: 0, Second: NoArg}
	}
	for _, name := range []string{"mkdirat", "unlinkat", "mknodat", "fchmodat", "fchmodat2", "fchownat", "utimensat", "futimesat"} {
		all[name] = Call{Class: classChange, First: 1, Second: 0}
	}
	for _, name := range []string{
		"socket", "accept", "accept4", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "eventfd", "eventfd2",
		"timerfd_create", "signalfd", "signalfd4", "memfd_create", "inotify_init", "inotify_init1", "pidfd_open",
	} {
		all[name] = Call{Class: classFile, Gives: true, First: NoArg, Second: NoArg}
	}
	return all
}

// booted is when this host started, as far as its clocks agree.
func booted() time.Time {
	now := time.Now()
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return now
	}
	first, _, _ := strings.Cut(string(data), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return now
	}
	return now.Add(-time.Duration(seconds * float64(time.Second)))
}
