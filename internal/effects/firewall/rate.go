package firewall

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// latency is how long a packet may wait before it is dropped instead, in
// microseconds.
const latency = 25_000

// leastBurst is what may be sent at once, in bytes: segments that the kernel
// has not yet split.
const leastBurst = 64 << 10

var errForeign = errors.New("it has a queueing discipline of somebody else's")

// limitRate makes each interface of a namespace send at most bits in a second.
// A lower limit that is there stays: another container in the namespace has
// it.
func limitRate(fd int, bits int64) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Attrs().Name == "lo" || l.Type() == "sit" || l.Type() == "ip6tnl" || l.Type() == "ipip" {
			continue
		}
		if err := limitLink(h, l, uint64(bits)/8); err != nil { //nolint:gosec // the policy has it above 8000
			return fmt.Errorf("interface %s: %w", l.Attrs().Name, err)
		}
	}
	return nil
}

func limitLink(h *netlink.Handle, l netlink.Link, rate uint64) error {
	have, err := h.QdiscList(l)
	if err != nil {
		return err
	}
	for _, q := range have {
		if q.Attrs().Parent != netlink.HANDLE_ROOT {
			continue
		}
		tbf, ours := q.(*netlink.Tbf)
		switch {
		case ours && tbf.Rate <= rate:
			return nil
		case !ours && q.Attrs().Handle != 0: // the kernel's own has none
			return errForeign
		}
	}
	burst := max(rate/250, leastBurst) // what is sent in a tick of a slow kernel
	want := &netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       rate,
		Buffer:     netlink.Xmittime(rate, uint32(burst)),      //nolint:gosec // bounded by the rate
		Limit:      uint32(min(rate*latency/1e6+burst, 1<<31)), //nolint:gosec // bounded
	}
	if err := h.QdiscReplace(want); err != nil {
		return err
	}
	have, err = h.QdiscList(l)
	if err != nil {
		return err
	}
	for _, q := range have {
		if tbf, ok := q.(*netlink.Tbf); ok && q.Attrs().Parent == netlink.HANDLE_ROOT && tbf.Rate == rate {
			return nil
		}
	}
	return errUnverified
}
