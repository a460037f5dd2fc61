package inside

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// FileCaps are the capabilities of a program (capabilities(7), File capabilities).
type FileCaps struct {
	Permitted []string
	Effective bool // they are in force at the start: without all of them it does not start
	// Root is who root is in the user namespaces that they are for, those below
	// included, by its id of the host.
	Root uint32
}

// ReadFileCaps reads the attribute security.capability of a place's file, as
// the mount shows it: an idmapped one shows the root that it leads to.
func (p *Place) ReadFileCaps() FileCaps {
	const revision1, revision2, revision3, revisions, effective = 0x01000000, 0x02000000, 0x03000000, 0xff000000, 1
	if p.Err != nil || !p.Node.Regular() || p.Fd < 0 {
		return FileCaps{}
	}
	buf := make([]byte, 64)
	n, err := unix.Getxattr(fmt.Sprintf("/proc/self/fd/%d", p.Fd), "security.capability", buf)
	const size1, size2, size3 = 12, 20, 24 // XATTR_CAPS_SZ_1 to _3
	if err != nil || n < size1 {
		return FileCaps{}
	}
	head, mask := binary.LittleEndian.Uint32(buf), uint64(binary.LittleEndian.Uint32(buf[4:]))
	c := FileCaps{Effective: head&effective != 0}
	switch {
	case head&revisions == revision2 && n == size2:
	case head&revisions == revision3 && n == size3:
		c.Root = binary.LittleEndian.Uint32(buf[20:])
	case head&revisions == revision1 && n == size1:
		c.Permitted = named(mask)
		return c
	default:
		return FileCaps{}
	}
	c.Permitted = named(mask | uint64(binary.LittleEndian.Uint32(buf[12:]))<<32)
	return c
}

// OtherFormats reports whether the host starts programs of other forms and
// processors through interpreters of its own (kernel, admin-guide/binfmt-misc.rst).
func OtherFormats() bool {
	all, err := os.ReadDir("/proc/sys/fs/binfmt_misc")
	const ownFiles = 2 // register and status
	return err == nil && len(all) > ownFiles
}
