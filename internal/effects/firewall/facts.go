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
	var gates []netip.Addr
	err = apart(func() error {
		var err error
		gates, err = gateways(fd)
		return err
	})
	if err != nil {
		return f, fmt.Errorf("gateways of the container: %w", err)
	}
	f.Host = append(f.Host, gates...)
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

// hostAddresses are those of our own namespace, but for what does not leave a
// link: that is a group of its own.
func hostAddresses() ([]netip.Addr, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	skip := -1
	if l, err := h.LinkByName(virtualServices); err == nil {
		skip = l.Attrs().Index
	}
	found, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, a := range found {
		if addr, ok := usable(a.IP); ok && a.LinkIndex != skip {
			all = append(all, addr)
		}
	}
	return all, nil
}

func gateways(fd int) ([]netip.Addr, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	routes, err := h.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	add := func(ip net.IP) {
		if addr, ok := usable(ip); ok {
			all = append(all, addr)
		}
	}
	for _, r := range routes {
		add(r.Gw)
		for _, hop := range r.MultiPath {
			add(hop.Gw)
		}
	}
	return all, nil
}

func usable(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	a = a.Unmap()
	return a, ok && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !a.IsMulticast()
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
