package learn

import (
	"fmt"
	"net/netip"
	"path"

	"github.com/hatchdog/hatchdog/internal/probe"
)

// World is what an entry is read with.
type World struct {
	Calls        map[int]string    // names by number
	Capabilities map[uint64]string // names by number
	Mounts       []Mount           // of the container
	Host         func(netip.Addr) bool
}

// Add counts an entry of the probe.
func (d *Data) Add(e probe.Entry, w World) {
	s := Seen{e.Count, e.First.UTC(), e.Last.UTC(), e.By}
	switch e.Kind {
	case probe.KindCall:
		if name := w.Calls[int(e.What)]; name != "" { //nolint:gosec // below 512
			d.add(d.Calls, CallKey(name, e.Arg), s)
		}
	case probe.KindCapability:
		if name := w.Capabilities[e.What]; name != "" {
			d.add(d.Capabilities, name, s)
		}
	case probe.KindProgram:
		d.add(d.Programs, e.Text, s)
	case probe.KindDevice:
		d.add(d.Devices, deviceKey(e.What, e.Arg), s)
	case probe.KindWrite:
		d.wrote(e, w, s)
	case probe.KindListen, probe.KindReach:
		d.addressed(e, w, s)
	}
}

func deviceKey(number, arg uint64) string {
	const block, minorBits, minors = 4, 20, 1<<20 - 1
	kind := "c"
	if arg&block != 0 {
		kind = "b"
	}
	return fmt.Sprintf("%s %d:%d %s", kind, number>>minorBits, number&minors, []string{"r", "w", "rw", "rw"}[arg&3])
}

func (d *Data) wrote(e probe.Entry, w World, s Seen) {
	at, below := Place(w.Mounts, e.Text, e.Arg)
	if len(at) == 0 {
		d.add(d.Writes, "", s)
	}
	for _, mount := range at {
		switch {
		case mount != "/":
			d.add(d.Volumes, mount, s)
		case below == "":
			d.add(d.Writes, "", s)
		default:
			d.add(d.Writes, path.Dir(below), s)
		}
	}
}

func (d *Data) addressed(e probe.Entry, w World, s Seen) {
	const stream, datagram = 1, 2
	addr := netip.AddrPortFrom(e.Address.Addr().Unmap().WithZone(""), e.Address.Port())
	if !addr.IsValid() || addr.Port() == 0 {
		return
	}
	var key string
	switch e.Arg {
	case stream:
		key = addr.String() + "/tcp"
	case datagram:
		key = addr.String() + "/udp"
	default:
		d.Note("sockets that are neither TCP nor UDP were used: their addresses are not learned")
		return
	}
	if e.Kind == probe.KindListen {
		d.add(d.Listens, key, s)
		return
	}
	d.add(d.Reaches, key, s)
	if w.Host != nil && w.Host(addr.Addr()) && len(d.HostAddresses) < kindsMost {
		d.HostAddresses[addr.Addr().String()] = true
	}
}
