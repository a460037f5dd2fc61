package firewall

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
)

// atOnce is below the three seconds after which nobody waits any more. On a busy
// machine an address of IPv6 may not be the namespace's yet when the first SYN leaves, and
// the next, a second later, is reset.
const atOnce = 2500 * time.Millisecond

// dials opens a connection from the container, or sends a datagram.
func (l *lab) dials(t testing.TB, network, to string) (took time.Duration, err error) {
	t.Helper()
	must(t, host.InNetwork(l.box, func() error {
		start := time.Now()
		var c net.Conn
		if c, err = net.DialTimeout(network, to, 3*time.Second); err == nil {
			_, err = c.Write([]byte("x"))
			_ = c.Close()
		}
		took = time.Since(start)
		return nil
	}))
	return took, err
}

// Who sends to what is not allowed is told at once: a connection is reset, and
// any other packet is an error of the call that sends it.
func TestDeniedIsRefusedAtOnce(t *testing.T) {
	for name, p := range map[string]egress.Policy{"names": namesPolicy(), "restricted": restricted()} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			_, err := Install(Request{FD: l.box, Egress: []egress.Policy{p}, Facts: labFacts()})
			must(t, err)
			for _, c := range []struct {
				network, to string
				want        error
			}{
				{"tcp", "169.254.169.254:80", unix.ECONNREFUSED},
				{"tcp", "[fd00:ec2::254]:80", unix.ECONNREFUSED},
				{"tcp", "10.99.0.7:8080", unix.ECONNREFUSED},
				{"tcp", "[fd00:99::1]:22", unix.ECONNREFUSED},
				{"udp", "169.254.169.254:80", unix.EPERM},
				{"udp", "[fd00:ec2::254]:80", unix.EPERM},
			} {
				took, err := l.dials(t, c.network, c.to)
				for range 2 { // a busy machine is slow once, a rule that waits is slow each time
					if took > atOnce && errors.Is(err, c.want) {
						took, err = l.dials(t, c.network, c.to)
					}
				}
				if !errors.Is(err, c.want) || took > atOnce {
					t.Errorf("%s %s: %v after %v", c.network, c.to, err, took)
				}
			}
		})
	}
}

// What is refused is told to the container alone: a socket with an address of others
// as its source (IPV6_FREEBIND needs no capability) would have the reset sent to them.
func TestRefusalStaysInside(t *testing.T) {
	l := newLab(t)
	_, err := Install(Request{FD: l.box, Egress: []egress.Policy{namesPolicy()}, Facts: labFacts()})
	must(t, err)
	const ipFreebind, ipv6Freebind = 15, 78 // kernel, in.h and in6.h
	for _, c := range []struct {
		stranger, to  string
		level, option int
		sends         bool // the kernel lets such a packet be sent
	}{
		{"8.8.4.66", "8.8.8.8", unix.IPPROTO_IP, ipFreebind, false},
		{"2606:4700::66", "2606:4700::1111", unix.IPPROTO_IPV6, ipv6Freebind, true},
	} {
		stranger := packet(egress.TCP, c.stranger, 4444)
		must(t, host.InNetwork(l.box, func() error {
			fd, err := unix.Socket(family4or6(stranger.Addr), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			if err := unix.SetsockoptInt(fd, c.level, c.option, 1); err != nil {
				return err
			}
			if err := unix.Bind(fd, sockaddr(stranger.Addr, stranger.Port)); err != nil {
				return err
			}
			l.seen(stranger)
			err = unix.Connect(fd, sockaddr(netip.MustParseAddr(c.to), 9))
			if sent := errors.Is(err, unix.EINPROGRESS); sent != c.sends {
				t.Errorf("%s: sent %v: %v", c.stranger, sent, err)
			}
			return nil
		}))
		time.Sleep(50 * time.Millisecond)
		if l.seen(stranger) {
			t.Errorf("a reset was sent to %s", c.stranger)
		}
	}
}

// A kernel that can send no reset drops all the same.
func TestKernelWithoutResets(t *testing.T) {
	l := newLab(t)
	layers, err := compile(Request{Egress: []egress.Policy{restricted()}, Facts: labFacts()})
	must(t, err)
	k, err := open(l.box)
	must(t, err)
	defer k.close()
	for i := range layers {
		layers[i].silent = true
	}
	must(t, (&Installed{fd: l.box}).put(k, layers, nil))
	denied := packet(egress.TCP, "169.254.169.254", 80)
	if l.reaches(t, denied) {
		t.Error("without a reset the packet is let out")
	}
	if took, err := l.dials(t, "tcp", "169.254.169.254:80"); err == nil || took < atOnce {
		t.Errorf("somebody refused the connection: %v after %v", err, took)
	}
	// Where another container of the namespace brings the reset, it is added.
	_, err = Install(Request{FD: l.box, Egress: []egress.Policy{restricted()}, Facts: labFacts()})
	must(t, err)
	if took, err := l.dials(t, "tcp", "169.254.169.254:80"); !errors.Is(err, unix.ECONNREFUSED) || took > atOnce {
		t.Errorf("%v after %v", err, took)
	}
}
