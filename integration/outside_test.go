package integration

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// outside is a network namespace that stands for the rest of the world: the
// cloud's metadata service, the internet, a resolver. The engines' namespace
// reaches it over a link.
type outside struct{ path string }

// The addresses of the world. The engines' namespace has hostAddr in it.
const (
	hostAddr     = "198.51.100.1"
	outsideAddr  = "198.51.100.2"
	metadataAddr = "169.254.169.254"
	internetAddr = "8.8.4.4"
	privateAddr  = "10.9.0.1"
	servicePort  = "8080"

	hostAddr6     = "2001:db8:1::1"
	outsideAddr6  = "2001:db8:1::2"
	metadataAddr6 = "fd00:ec2::254"
	internetAddr6 = "2a00:1450::8"
)

// outsides are the worlds by the network namespace that reaches them.
var outsides = map[string]*outside{}

// startOutside is the world of the engines that share a network namespace.
func startOutside(t *testing.T) *outside {
	t.Helper()
	ns, err := netns()
	must(t, err)
	return outsideOf(t, ns)
}

// outside is this Docker's world.
func (d *docker) outside(t *testing.T) *outside {
	t.Helper()
	return outsideOf(t, d.ns)
}

func outsideOf(t *testing.T, ns string) *outside {
	t.Helper()
	if _, tried := outsides[ns]; !tried {
		outsides[ns] = nil
		name := strings.Replace(filepath.Base(ns), "hatchdog-it-", "hatchdog-it-out-", 1)
		engines := strings.TrimPrefix(ns, "/run/netns/")
		ip := func(args ...string) { mustRun(t, "ip", args...) }
		ip("netns", "add", name)
		atEnd(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
		ip("-n", engines, "link", "add", "world", "type", "veth", "peer", "name", "world", "netns", name)
		for _, at := range []struct{ ns, addr, addr6 string }{{engines, hostAddr, hostAddr6}, {name, outsideAddr, outsideAddr6}} {
			ip("-n", at.ns, "addr", "add", at.addr+"/24", "dev", "world")
			ip("-n", at.ns, "addr", "add", at.addr6+"/64", "dev", "world", "nodad")
			ip("-n", at.ns, "link", "set", "world", "up")
		}
		ip("-n", name, "link", "set", "lo", "up")
		for _, a := range []string{metadataAddr, internetAddr, privateAddr} {
			ip("-n", name, "addr", "add", a+"/32", "dev", "lo")
			ip("-n", engines, "route", "add", a+"/32", "via", outsideAddr)
		}
		for _, a := range []string{metadataAddr6, internetAddr6} {
			ip("-n", name, "addr", "add", a+"/128", "dev", "lo", "nodad")
			ip("-n", engines, "route", "add", a+"/128", "via", outsideAddr6)
		}
		ip("-n", name, "route", "add", "default", "via", hostAddr)
		ip("-n", name, "-6", "route", "add", "default", "via", hostAddr6)
		o := &outside{"/run/netns/" + name}
		o.serve(t, o.path)
		o.serve(t, ns) // the host's own service
		outsides[ns] = o
	}
	if outsides[ns] == nil {
		t.Fatal("there is no outside")
	}
	return outsides[ns]
}

// forwarding lets the engines' namespace forward, whatever Docker thinks of it.
func forwarding(t *testing.T) {
	t.Helper()
	ns, err := netns()
	must(t, err)
	mustRun(t, "nsenter", "--net="+ns, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	mustRun(t, "nsenter", "--net="+ns, "iptables", "-w", "-P", "FORWARD", "ACCEPT")
}

// inNamespace runs f in a network namespace.
func inNamespace(t *testing.T, path string, f func() error) error {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// serve answers lines over TCP and UDP, and queries for names, until all tests
// are done.
func (o *outside) serve(t *testing.T, ns string) {
	t.Helper()
	must(t, inNamespace(t, ns, func() error {
		for _, port := range []string{"80", servicePort} {
			l, err := net.Listen("tcp", ":"+port)
			if err != nil {
				return err
			}
			atEnd(func() { _ = l.Close() })
			go answerLines(l)
		}
		for port, answer := range map[string]func([]byte) []byte{"53": answerQuery, servicePort: func(b []byte) []byte { return b }} {
			p, err := net.ListenPacket("udp", ":"+port)
			if err != nil {
				return err
			}
			atEnd(func() { _ = p.Close() })
			go answerPackets(p, answer)
		}
		return nil
	}))
}

func answerLines(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			line, _ := bufio.NewReader(c).ReadString('\n')
			_, _ = c.Write([]byte(line))
		}()
	}
}

func answerPackets(p net.PacketConn, answer func([]byte) []byte) {
	b := make([]byte, 16<<10)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = p.WriteTo(answer(b[:n]), from)
	}
}

// answerQuery says that every name has the address outside, except for those whose
// first label says another (RFC 1035). It gives no others than A.
func answerQuery(q []byte) []byte {
	const header = 12
	if len(q) < header+2 {
		return nil
	}
	end := header
	for end < len(q) && q[end] != 0 {
		end += int(q[end]) + 1
	}
	if end += 5; end > len(q) {
		return nil
	}
	a := append([]byte{}, q[:end]...)
	a[2], a[3] = 0x81, 0x80
	clear(a[6:header])
	if binary.BigEndian.Uint16(q[end-4:]) != 1 { // not A: no records
		return a
	}
	a[7] = 1
	text := map[string]string{"public": internetAddr, "private": privateAddr, "metadata": metadataAddr}[strings.ToLower(string(q[header+1:header+1+min(int(q[header]), end-header-1)]))]
	addr := netip.MustParseAddr(cmp.Or(text, outsideAddr)).As4()
	return append(append(a, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4), addr[:]...)
}

// wantReach holds what `reach` printed against what is meant to get through.
func wantReach(t *testing.T, got string, want map[string]bool) {
	t.Helper()
	for arg, through := range want {
		yes, no := strings.Contains(got, arg+" yes\n"), strings.Contains(got, arg+" no:")
		if yes == no || yes != through {
			t.Errorf("%s: want %v\n%s", arg, through, got)
		}
	}
}

func keys(want map[string]bool) []string {
	var all []string
	for k := range want {
		all = append(all, k)
	}
	return all
}
