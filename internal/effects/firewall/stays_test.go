package firewall

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// listen takes one connection in a namespace and answers it.
func listen(t *testing.T, ns int, at string) {
	t.Helper()
	var l net.Listener
	must(t, host.InNetwork(ns, func() (err error) {
		l, err = net.Listen("tcp", at)
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("x"))
			_ = c.Close()
		}
	}()
}

// connect opens a connection from one namespace and wants an answer.
func connect(t *testing.T, ns int, from, to string) bool {
	t.Helper()
	err := host.InNetwork(ns, func() error {
		d := net.Dialer{Timeout: 300 * time.Millisecond, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		must(t, c.SetDeadline(time.Now().Add(300*time.Millisecond)))
		_, err = c.Read(make([]byte, 1))
		return err
	})
	return err == nil
}

func TestWhoReachesAContainer(t *testing.T) {
	l := newLab(t)
	listen(t, l.box, ":80")
	listen(t, l.box, ":81")
	far, err := netlink.NewHandleAt(netns.NsHandle(l.far), unix.NETLINK_ROUTE)
	must(t, err)
	defer far.Close()
	request := Request{
		FD: l.box, Egress: []egress.Policy{{Default: egress.Deny, Deny: []string{"metadata", "link-local"}}},
		Ingress: []egress.Policy{{Default: egress.Deny, Allow: []string{"10.200.0.0/24:80/tcp", "metadata", "fd00:99::/64"}}},
	}
	_, err = Install(request)
	must(t, err)
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"10.200.0.1", "10.200.0.2:80", true}, // its answers get through the denying egress
		{"10.200.0.1", "10.200.0.2:81", false},
		{"10.201.0.1", "10.200.0.2:80", false},
		{"fd00:99::1", "[fd00:99::2]:81", true},
		{"169.254.169.254", "10.200.0.2:80", false}, // comes in, and is not answered
	} {
		if got := connect(t, l.far, c.from, c.to); got != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, got)
		}
	}
	r, err := Read(l.box)
	must(t, err)
	if !slices.ContainsFunc(r.Noted, func(n Noted) bool { return !n.Inbound && n.Addr == netip.MustParseAddr("169.254.169.254") }) ||
		!slices.ContainsFunc(r.Noted, func(n Noted) bool { return n.Inbound && n.Addr == netip.MustParseAddr("10.201.0.1") && n.Port == 80 }) {
		t.Errorf("noted: %+v", r.Noted)
	}
}

// Other tables of the namespace are left alone, and a table of our name that
// somebody filled is not taken for ours.
func TestOtherTablesStay(t *testing.T) {
	l := newLab(t)
	c, err := nftables.New(nftables.WithNetNSFd(l.box))
	must(t, err)
	docker := c.AddTable(&nftables.Table{Name: "docker-dns", Family: nftables.TableFamilyINet})
	c.AddChain(&nftables.Chain{Name: "OUTPUT", Table: docker, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest})
	forged := c.AddTable(table())
	accept := nftables.ChainPolicyAccept
	name := layer{key: layerKey(restricted(), labFacts())}.base()
	c.AddChain(&nftables.Chain{Name: name, Table: forged, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter, Policy: &accept})
	must(t, c.Flush())
	installed, err := Install(Request{FD: l.box, Egress: []egress.Policy{restricted()}, Facts: labFacts()})
	must(t, err)
	if l.reaches(t, packet(egress.TCP, "169.254.169.254", 80)) {
		t.Error("a forged chain was taken for ours")
	}
	must(t, installed.Undo())
	tables, err := c.ListTables()
	must(t, err)
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == "docker-dns" }) {
		t.Error("another's table is gone")
	}
}

// Containers of one pod install at the same time.
func TestHoldAtOnce(t *testing.T) {
	l := newLab(t)
	lockFile := filepath.Join(t.TempDir(), "lock")
	pol, err := policy.Default()
	must(t, err)
	path := filepath.Join("/proc/self/fd", strconv.Itoa(l.box))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			names := []string{"builtin/baseline", "builtin/restricted"}
			_, errs[i] = Hold(Target{Path: path, Lock: lockFile}, pol.Profiles[names[i%2]].NetworkRules())
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	r, err := Read(l.box)
	must(t, err)
	if len(r.Layers) != 4 {
		t.Errorf("%d layers", len(r.Layers))
	}
	if _, err := Hold(Target{Path: path, Lock: lockFile, ID: host.FileID{Dev: 1, Ino: 1}}, pol.Profiles["builtin/baseline"].NetworkRules()); !errors.Is(err, ErrSwapped) {
		t.Errorf("another namespace: %v", err)
	}
	if _, err := Hold(Target{Path: "/proc/self/ns/net", Lock: lockFile}, pol.Profiles["builtin/baseline"].NetworkRules()); !errors.Is(err, ErrHost) {
		t.Errorf("our own namespace: %v", err)
	}
	if _, err := Hold(Target{Path: "/proc/self/ns/mnt", Lock: lockFile}, pol.Profiles["builtin/baseline"].NetworkRules()); !errors.Is(err, ErrNone) {
		t.Errorf("another kind of namespace: %v", err)
	}
}
