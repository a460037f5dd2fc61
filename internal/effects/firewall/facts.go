package firewall

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
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
	err = host.Apart(func() error {
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
		found, behind, err := resolvers(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, fmt.Errorf("resolvers: %w", err)
		}
		outside := slices.DeleteFunc(slices.Clone(found), netip.Addr.IsLoopback)
		f.Resolvers = append(f.Resolvers, outside...)
		if file == resolvConf {
			f.Asked, f.Behind = slices.DeleteFunc(found, within), slices.Concat(behind, dockers(file), f.Behind)
		} else {
			f.Behind = append(f.Behind, outside...)
		}
	}
	if len(f.Asked) == 0 {
		f.Asked = f.Behind
	}
	f.Asked, f.Behind = some(f.Asked), some(f.Behind)
	return f, nil
}

// dockersOwn is the resolver that Docker has in the namespace of a container.
var dockersOwn = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// within reports whether a resolver is a program of the container's own, which is
// not asked what to open.
func within(a netip.Addr) bool { return a.Unmap().IsLoopback() && a.Unmap() != dockersOwn }

// dockers are the resolvers that Docker was asked for (--dns), which it has beside
// the container's resolv.conf where it does not name them there.
func dockers(resolvConf string) []netip.Addr {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(resolvConf), "hostconfig.json"), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	var asked struct{ Dns []netip.Addr } // Docker's name
	if json.NewDecoder(io.LimitReader(f, maxResolvConf)).Decode(&asked) != nil {
		return nil
	}
	return slices.DeleteFunc(asked.Dns, netip.Addr.IsLoopback)
}

// maxAsked is how many resolvers a program asks, one after the other
// (resolv.conf(5), MAXNS).
const maxAsked = 3

// some are the first few, each once.
func some(all []netip.Addr) []netip.Addr {
	var kept []netip.Addr
	for _, a := range all {
		if a = a.Unmap(); a.Zone() == "" && !slices.Contains(kept, a) && len(kept) < maxAsked {
			kept = append(kept, a)
		}
	}
	return kept
}

// hostAddresses are those to which our own namespace answers, by its routes:
// its addresses, whole prefixes (AnyIP), and the broadcast and anycast addresses
// of its networks; except for what does not leave a link, which is a group of its
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

// resolvers reads the nameserver lines of a resolv.conf(5), and whom Docker's own
// resolver asks in the container's namespace, which Docker writes behind
// ExtServers.
func resolvers(file string) (all, behind []netip.Addr, err error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxResolvConf))
	for lines.Scan() {
		if list, ok := strings.CutPrefix(lines.Text(), "# ExtServers: ["); ok {
			for _, word := range strings.Fields(strings.TrimSuffix(list, "]")) {
				if a, err := netip.ParseAddr(word); err == nil && !a.IsLoopback() {
					behind = append(behind, a)
				}
			}
			continue
		}
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			all = append(all, a)
		}
	}
	return all, behind, lines.Err()
}
