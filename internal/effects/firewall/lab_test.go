package firewall

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/retest"
)

// lab is a container's network namespace and, at the other end of its only
// link, one that takes every address for its own.
type lab struct {
	box, far int // namespaces
	sniffer  int // a packet socket at the far end
}

var (
	boxAddr4, farAddr4 = netip.MustParseAddr("10.200.0.2"), netip.MustParseAddr("10.200.0.1")
	boxAddr6, farAddr6 = netip.MustParseAddr("fd00:99::2"), netip.MustParseAddr("fd00:99::1")
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLab(t testing.TB) *lab {
	t.Helper()
	retest.NeedRoot(t, "make network namespaces")
	l := &lab{box: retest.Network(t), far: retest.Network(t)}
	box, err := netlink.NewHandleAt(netns.NsHandle(l.box), unix.NETLINK_ROUTE)
	must(t, err)
	defer box.Close()
	far, err := netlink.NewHandleAt(netns.NsHandle(l.far), unix.NETLINK_ROUTE)
	must(t, err)
	defer far.Close()
	must(t, box.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(l.far)}))
	mac := map[*netlink.Handle]net.HardwareAddr{}
	for _, h := range []*netlink.Handle{box, far} {
		for _, name := range []string{"lo", "eth0"} {
			link, err := h.LinkByName(name)
			must(t, err)
			must(t, h.LinkSetUp(link))
			mac[h] = link.Attrs().HardwareAddr
		}
	}
	l.address(t, box, boxAddr4, farAddr4, mac[far])
	l.address(t, box, boxAddr6, farAddr6, mac[far])
	l.address(t, far, farAddr4, boxAddr4, mac[box])
	l.address(t, far, farAddr6, boxAddr6, mac[box])
	for _, gw := range []netip.Addr{farAddr4, farAddr6} {
		must(t, box.RouteAdd(&netlink.Route{Gw: gw.AsSlice(), Dst: everything(gw)}))
	}
	lo, err := far.LinkByName("lo")
	must(t, err)
	for _, a := range []netip.Addr{farAddr4, farAddr6} {
		must(t, far.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: everything(a), Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST}))
	}
	eth, err := far.LinkByName("eth0")
	must(t, err)
	must(t, far.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: netlink.NewIPNet(boxAddr6.AsSlice()), Table: unix.RT_TABLE_LOCAL}))
	must(t, host.InNetwork(l.far, func() error {
		var err error
		l.sniffer, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		return err
	}))
	t.Cleanup(func() { _ = unix.Close(l.sniffer) })
	return l
}

func (l *lab) address(t testing.TB, h *netlink.Handle, own, peer netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	link, err := h.LinkByName("eth0")
	must(t, err)
	bits := 24
	if own.Is6() {
		bits = 64
	}
	must(t, h.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: own.AsSlice(), Mask: net.CIDRMask(bits, own.BitLen())}, Flags: unix.IFA_F_NODAD}))
	must(t, h.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: peer.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}))
}

func everything(like netip.Addr) *net.IPNet {
	return &net.IPNet{IP: make(net.IP, like.BitLen()/8), Mask: net.CIDRMask(0, like.BitLen())}
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }
