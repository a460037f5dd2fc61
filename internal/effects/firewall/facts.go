package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// virtualServices is the interface on which kube-proxy keeps the addresses of
// all services: they are the host's in name only.
const virtualServices = "kube-ipvs0"

// hostResolvers are where the host's own resolvers are named; the second where
// the first names systemd's on loopback.
func hostResolvers() []string {
	return []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}
}

// Resolve finds the addresses that the groups stand for. resolvConf is the
// container's own, "" where it has none; without a namespace (-1) the host's
// facts alone are found.
func Resolve(fd int, resolvConf string) (egress.Facts, error) {
	var f egress.Facts
	var err error
	if f.Host, err = hostAddresses(); err != nil {
		return f, fmt.Errorf("addresses of the host: %w", err)
	}
	if fd < 0 {
		return withResolvers(f, resolvConf)
	}
	var near []netip.Prefix
	err = apart(func() error {
		var err error
		near, err = beside(fd)
		return err
	})
	if err != nil {
		return f, fmt.Errorf("routes of the container: %w", err)
	}
	f.Host = append(f.Host, near...)
	return withResolvers(f, resolvConf)
}

func withResolvers(f egress.Facts, resolvConf string) (egress.Facts, error) {
	for _, file := range append(hostResolvers(), resolvConf) {
		if file == "" {
			continue
		}
		found, err := resolvers(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, fmt.Errorf("resolvers: %w", err)
		}
		f.Resolvers = append(f.Resolvers, found...)
	}
	return f, nil
}

// hostAddresses are those to which our own namespace answers, by its routes:
// its addresses, whole prefixes (AnyIP), and the broadcast and anycast addresses
// of its networks; but for what does not leave a link, which is a group of its
// own.
func hostAddresses() ([]netip.Prefix, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	skip := -1
	if l, err := h.LinkByName(virtualServices); err == nil {
		skip = l.Attrs().Index
	}
	routes, err := answered(h)
	if err != nil {
		return nil, err
	}
	var all []netip.Prefix
	for _, r := range routes {
		if p, ok := prefix(r.Dst); ok && r.LinkIndex != skip {
			all = append(all, p)
		}
	}
	return all, nil
}

// dumps is how often a list of routes is asked for that changes meanwhile.
const dumps = 5

// answered are the routes of all tables whose packets somebody on the host
// takes.
func answered(h *netlink.Handle) ([]netlink.Route, error) {
	types := []int{unix.RTN_LOCAL, unix.RTN_BROADCAST, unix.RTN_ANYCAST}
	for try := 1; ; try++ {
		routes, err := h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
		if errors.Is(err, netlink.ErrDumpInterrupted) && try < dumps {
			continue
		}
		return slices.DeleteFunc(routes, func(r netlink.Route) bool { return !slices.Contains(types, r.Type) }), err
	}
}

// beside are the addresses of a container's network that others answer to: its
// gateways, the broadcast addresses of its subnets and the anycast addresses of
// their routers.
func beside(fd int) ([]netip.Prefix, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	var routes []netlink.Route
	for try := 1; ; try++ {
		routes, err = h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
		if !errors.Is(err, netlink.ErrDumpInterrupted) || try == dumps {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	var all []netip.Prefix
	for _, r := range routes {
		all = append(all, others(r)...)
	}
	return all, nil
}

func others(r netlink.Route) []netip.Prefix {
	var all []netip.Prefix
	add := func(ip net.IP) {
		if a, ok := netip.AddrFromSlice(ip); ok && usable(a.Unmap()) {
			all = append(all, single(a.Unmap()))
		}
	}
	add(r.Gw)
	for _, hop := range r.MultiPath {
		add(hop.Gw)
	}
	p, ok := prefix(r.Dst)
	switch {
	case !ok:
	case r.Type == unix.RTN_BROADCAST || r.Type == unix.RTN_ANYCAST:
		all = append(all, p)
	case r.Type == unix.RTN_UNICAST && r.Gw == nil && p.Addr().Is6() && p.Bits() > 0 && !p.IsSingleIP():
		all = append(all, single(p.Masked().Addr())) // RFC 4291, 2.6.1
	}
	return all
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	ones, bits := n.Mask.Size()
	a = a.Unmap()
	if a.Is4() && bits == 128 {
		ones -= 96
	}
	// The whole of a family is what a transparent proxy has in a table of its
	// own: it is asked for marked packets alone.
	return netip.PrefixFrom(a, ones), ones > 0 && usable(a)
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func usable(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !a.IsMulticast()
}

// maxResolvConf is as much of a file as is read.
const maxResolvConf = 64 << 10

// resolvers reads the nameserver lines of a resolv.conf(5).
func resolvers(file string) ([]netip.Addr, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []netip.Addr
	lines := bufio.NewScanner(io.LimitReader(f, maxResolvConf))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil && !a.IsLoopback() {
			all = append(all, a)
		}
	}
	return all, lines.Err()
}
