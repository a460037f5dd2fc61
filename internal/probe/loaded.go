package probe

import (
	"errors"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// loaded are programs in the kernel, and where they are attached.
type loaded struct {
	links []link.Link
	progs []*ebpf.Program
}

func (l *loaded) attach(point string, spec *ebpf.ProgramSpec) error {
	prog, err := ebpf.NewProgram(spec)
	if err != nil {
		return err
	}
	l.progs = append(l.progs, prog)
	at, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: point, Program: prog})
	if err == nil {
		l.links = append(l.links, at)
	}
	return err
}

// close gives all back, the links first. A reader or map that was never made is nil.
func (l *loaded) close(reader *ringbuf.Reader, maps ...*ebpf.Map) error {
	var all []io.Closer
	for _, at := range l.links {
		all = append(all, at)
	}
	if reader != nil {
		all = append(all, reader)
	}
	for _, prog := range l.progs {
		all = append(all, prog)
	}
	for _, m := range maps {
		if m != nil {
			all = append(all, m)
		}
	}
	l.links, l.progs = nil, nil
	var err error
	for _, one := range all {
		err = errors.Join(err, one.Close())
	}
	return err
}

// counter is the one number of a map.
func counter(m *ebpf.Map) uint64 {
	var n uint64
	if m.Lookup(uint32(0), &n) != nil {
		return 0
	}
	return n
}
