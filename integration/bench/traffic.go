package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// What the firewall may leave of the throughput, and make of a round trip.
const (
	leavesOf = 0.97
	mayTake  = 1.03
)

// The addresses of the only link. They are documentation's (RFC 5737), which no
// rule of the profile names.
const (
	farAddr = "198.51.100.1"
	boxAddr = "198.51.100.2"
)

// far is a network namespace with the servers that containers talk to.
type far struct {
	ns     netns.NsHandle
	listen []net.Listener
	names  net.PacketConn // answers for every name
}

// traffic measures what the firewall leaves of a container's network: a
// container under restricted against one that plain runc started from the same
// tightened spec, each with a link of its own to the same servers.
func (b *bench) traffic() error {
	f, err := newFar()
	if err != nil {
		return fmt.Errorf("the other end: %w", err)
	}
	defer f.close()
	all, err := b.alternate([2]side{b.direct(), b.wrapped()}, func(s side, id string) (map[string]float64, error) {
		return b.trafficOf(f, s, "traffic-"+id, "net", farAddr)
	})
	if err != nil {
		return err
	}
	b.row(row{what: "TCP stream, no firewall against restricted", of: *all["stream"], unit: "MB/s", leaves: leavesOf})
	b.row(row{what: "TCP round trip, no firewall against restricted", of: *all["ask"], unit: "us", ratio: mayTake})
	return nil
}

// trafficOf creates a container, wires it, starts it and reads what it printed.
func (b *bench) trafficOf(f *far, s side, id string, args ...string) (map[string]float64, error) {
	spec, err := b.spec(s, id, append([]string{"/bin/inside"}, args...)...)
	if err != nil {
		return nil, err
	}
	if err := b.bundle(id, spec); err != nil {
		return nil, err
	}
	out, err := b.output(id)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	pidFile := b.path("bundles", id, "pid")
	if _, err := b.timeTo(out, s, s.program, b.args("create", "--bundle", b.path("bundles", id), "--pid-file", pidFile, id)...); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	if err := f.wire(pid); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	defer f.unwire()
	if _, err := b.call(s, "start", id); err != nil {
		return nil, err
	}
	if err := b.ended(s, id, pid); err != nil {
		return nil, err
	}
	if _, err := b.call(s, "delete", "--force", id); err != nil {
		return nil, err
	}
	return b.told(id)
}

// ended waits for the container's end. Of gVisor's containers only runsc knows.
func (b *bench) ended(s side, id string, pid int) error {
	if s.program == b.peers.runsc {
		_, err := b.call(s, "wait", id)
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	if status.ExitStatus() != 0 {
		said, _ := os.ReadFile(b.path("stderr"))
		return fmt.Errorf("%s ended with %d: %s", id, status.ExitStatus(), said)
	}
	return nil
}

// newFar makes the namespace, and the servers in it.
func newFar() (*far, error) {
	type made struct {
		f   *far
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		f, err := farHere()
		done <- made{f, err}
	}()
	m := <-done
	return m.f, m.err
}

func farHere() (*far, error) {
	ns, err := netns.New()
	if err != nil {
		return nil, err
	}
	f := &far{ns: ns}
	for port, serve := range map[string]func(net.Conn){
		"9001": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"9002": func(c net.Conn) { _, _ = io.Copy(c, c) },
	} {
		l, err := net.Listen("tcp4", ":"+port)
		if err != nil {
			f.close()
			return nil, err
		}
		f.listen = append(f.listen, l)
		go accept(l, serve)
	}
	if f.names, err = net.ListenPacket("udp4", ":53"); err != nil {
		f.close()
		return nil, err
	}
	go resolves(f.names)
	return f, nil
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		go func() {
			serve(c)
			_ = c.Close()
		}()
	}
}

func (f *far) close() {
	for _, l := range f.listen {
		_ = l.Close()
	}
	if f.names != nil {
		_ = f.names.Close()
	}
	_ = f.ns.Close()
}

// wire gives a container its link, as an engine does between create and start.
func (f *far) wire(pid int) error {
	box, err := netns.GetFromPid(pid)
	if err != nil {
		return err
	}
	defer func() { _ = box.Close() }()
	here, err := netlink.NewHandleAt(f.ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer here.Close()
	there, err := netlink.NewHandleAt(box, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer there.Close()
	if err := here.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "far0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(box)}); err != nil {
		return err
	}
	for _, end := range []struct {
		h             *netlink.Handle
		name, address string
	}{{here, "far0", farAddr}, {there, "eth0", boxAddr}} {
		link, err := end.h.LinkByName(end.name)
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(end.address + "/24")
		if err != nil {
			return err
		}
		if err := end.h.AddrAdd(link, addr); err != nil {
			return err
		}
		if err := end.h.LinkSetUp(link); err != nil {
			return err
		}
	}
	return nil
}

// unwire takes the link away, if its other end is not gone already.
func (f *far) unwire() {
	h, err := netlink.NewHandleAt(f.ns, unix.NETLINK_ROUTE)
	if err != nil {
		return
	}
	defer h.Close()
	if link, err := h.LinkByName("far0"); err == nil {
		_ = h.LinkDel(link)
	}
}
