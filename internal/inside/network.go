package inside

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
)

// patience is how long an answer from the network is waited for.
const patience = 3 * time.Second

// maxSockets bounds what is read of a list of sockets, in bytes. Those that listen
// come first.
const maxSockets = 16 << 20

// Listening are the addresses on which something waits for connections, or for
// datagrams, in a network namespace (proc_pid_net(5)).
func Listening(fd int, proto egress.Proto) []netip.AddrPort {
	var text []byte
	_ = host.InNetwork(fd, func() error { // none is known
		for _, file := range []string{string(proto), string(proto) + "6"} {
			f, err := os.Open("/proc/thread-self/net/" + file)
			if err != nil {
				continue // no IPv6
			}
			some, _ := io.ReadAll(io.LimitReader(f, maxSockets))
			text = append(text, some...)
			_ = f.Close()
		}
		return nil
	})
	return socketsIn(text, proto)
}

func socketsIn(text []byte, proto egress.Proto) []netip.AddrPort {
	var all []netip.AddrPort
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		const listens, unconnected = "0A", "07" // TCP_LISTEN, TCP_CLOSE
		if len(words) < 4 || words[3] != listens && (proto != egress.UDP || words[3] != unconnected) {
			continue
		}
		if at, ok := socketAddress(words[1]); ok {
			all = append(all, at)
		}
	}
	return all
}

// socketAddress reads ADDRESS:PORT in hex; an address is in words of 32 bits in
// the byte order of the host, little-endian on all that hatchdog runs on.
func socketAddress(s string) (netip.AddrPort, bool) {
	addr, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(addr)
	number, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(number)), ok
}

// Route asks the kernel of a network namespace for the way to an address. own is
// true for an address of the namespace itself.
func Route(fd int, to netip.Addr) (own bool, err error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(fd), unix.NETLINK_ROUTE)
	if err != nil {
		return false, err
	}
	defer h.Close()
	routes, err := h.RouteGet(to.AsSlice())
	if err != nil {
		return false, err
	}
	return len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL, nil
}

// The ways in which a connection is not opened.
var (
	ErrRefused     = errors.New("refused")
	ErrUnreachable = errors.New("unreachable")
	ErrSilent      = errors.New("no answer")
)

// Connect opens a connection from a network namespace and closes it.
func Connect(fd int, to netip.AddrPort) error {
	return host.InNetwork(fd, func() error {
		c, err := net.DialTimeout("tcp", to.String(), patience)
		var slow net.Error
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			return fmt.Errorf("%w: %w", ErrRefused, err)
		case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		case errors.As(err, &slow) && slow.Timeout():
			return fmt.Errorf("%w: %w", ErrSilent, err)
		case err != nil:
			return err
		}
		return c.Close()
	})
}

// PrivilegedPorts is the first port of a network namespace that needs no
// capability (ip(7), ip_unprivileged_port_start).
func PrivilegedPorts(fd int) (int, error) {
	first := 0
	err := host.InNetwork(fd, func() error {
		data, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start") // of the thread that reads
		if err != nil {
			return err
		}
		first, err = strconv.Atoi(strings.TrimSpace(string(data)))
		return err
	})
	return first, err
}

// NoRoutes is how often something in a network namespace was sent where no way
// leads (IpOutNoRoutes and Ip6OutNoRoutes: kernel, snmp_counter.rst).
func NoRoutes(fd int) int64 {
	var sum int64
	_ = host.InNetwork(fd, func() error { // none is known
		sum = noRoutes("/proc/thread-self/net")
		return nil
	})
	return sum
}

func noRoutes(dir string) int64 {
	var names []string
	var sum int64
	for line := range strings.Lines(text(dir, "snmp")) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "Ip:" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		if i := slices.Index(names, "OutNoRoutes"); i >= 0 && i < len(words) {
			sum += parse(words[i])
		}
	}
	return sum + pairs(dir, "snmp6")["Ip6OutNoRoutes"]
}
