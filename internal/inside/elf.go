package inside

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"strings"
)

// The bounds of what is read of a program's dynamic section (elf(5)).
const (
	maxDynamic = 64 << 10 // bytes
	maxNeeded  = 256      // libraries
	maxPaths   = 64
)

// readELF reads what the kernel and the dynamic linker go by: the program headers.
// Sections are not looked at, whose number and size are bounded by nothing.
func readELF(f *os.File, head []byte) (*Program, error) {
	e, err := elf.NewFile(&unsectioned{head: withoutSections(head), rest: f})
	if err != nil {
		return nil, err
	}
	p := &Program{Kind: "elf", Machine: e.Machine}
	for _, h := range e.Progs {
		switch h.Type {
		case elf.PT_INTERP:
			p.Interpreter = stringAt(h, 0)
		case elf.PT_DYNAMIC:
			p.dynamic(e, h)
		}
	}
	return p, nil
}

// unsectioned is a program whose head names no sections.
type unsectioned struct {
	head []byte
	rest io.ReaderAt
}

func (u *unsectioned) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	if at < int64(len(u.head)) {
		n = copy(p, u.head[at:])
	}
	if n == len(p) {
		return n, nil
	}
	more, err := u.rest.ReadAt(p[n:], at+int64(n))
	return n + more, err
}

// withoutSections is a head with e_shoff, e_shentsize, e_shnum and e_shstrndx 0.
func withoutSections(head []byte) []byte {
	head = bytes.Clone(head)
	wide := len(head) > elf.EI_CLASS && elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64
	fields := [][2]int{{0x20, 0x24}, {0x2e, 0x34}}
	if wide {
		fields = [][2]int{{0x28, 0x30}, {0x3a, 0x40}}
	}
	for _, f := range fields {
		clear(head[min(f[0], len(head)):min(f[1], len(head))])
	}
	return head
}

// stringAt reads a string of a segment.
func stringAt(r io.ReaderAt, at int64) string {
	buf := make([]byte, maxPath)
	n, _ := r.ReadAt(buf, at)
	text, _, _ := strings.Cut(string(buf[:n]), "\x00")
	return text
}

func (p *Program) dynamic(e *elf.File, h *elf.Prog) {
	data := make([]byte, min(h.Filesz, maxDynamic))
	n, _ := h.ReadAt(data, 0)
	size := 8
	if e.Class == elf.ELFCLASS64 {
		size = 16
	}
	entries := map[elf.DynTag][]uint64{}
	for data = data[:n]; len(data) >= size; data = data[size:] {
		var tag, value uint64
		if size == 16 {
			tag, value = e.ByteOrder.Uint64(data), e.ByteOrder.Uint64(data[8:])
		} else {
			tag, value = uint64(e.ByteOrder.Uint32(data)), uint64(e.ByteOrder.Uint32(data[4:]))
		}
		if elf.DynTag(tag) == elf.DT_NULL { //nolint:gosec // a tag that is out of range is no tag of ours
			break
		}
		entries[elf.DynTag(tag)] = append(entries[elf.DynTag(tag)], value) //nolint:gosec // as above
	}
	for _, table := range entries[elf.DT_STRTAB] {
		p.names(e, table, entries)
	}
}

// names reads the strings of a table, which is told by its address in memory.
func (p *Program) names(e *elf.File, table uint64, entries map[elf.DynTag][]uint64) {
	for _, load := range e.Progs {
		if load.Type != elf.PT_LOAD || table < load.Vaddr || table-load.Vaddr >= load.Filesz {
			continue
		}
		at := func(offset uint64) string { return stringAt(load, int64(table-load.Vaddr+offset)) } //nolint:gosec // one below 0 reads nothing
		for _, offset := range entries[elf.DT_NEEDED] {
			if len(p.Needed) < maxNeeded {
				p.Needed = append(p.Needed, at(offset))
			}
		}
		for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
			for _, offset := range entries[tag] {
				for dir := range strings.SplitSeq(at(offset), ":") {
					if len(p.Paths) < maxPaths {
						p.Paths = append(p.Paths, dir)
					}
				}
			}
		}
		return
	}
}
