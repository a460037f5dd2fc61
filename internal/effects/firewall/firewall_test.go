package firewall

import (
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
)

func restricted() egress.Policy {
	return egress.Policy{Name: "restricted", Default: egress.Allow, Allow: []string{"dns"}, Deny: []string{"metadata", "link-local", "host"}}
}

func labFacts() egress.Facts {
	return egress.Facts{Host: []netip.Prefix{single(farAddr4), single(farAddr6), netip.MustParsePrefix("10.99.0.0/24")}, Resolvers: []netip.Addr{farAddr4, netip.MustParseAddr("9.9.9.9")}}
}

func TestWhatLeavesAContainer(t *testing.T) {
	l := newLab(t)
	_, err := Install(Request{FD: l.box, Egress: []egress.Policy{restricted()}, Facts: labFacts()})
	must(t, err)
	for _, c := range []struct {
		p    egress.Packet
		want bool
	}{
		{packet(egress.TCP, "169.254.169.254", 80), false},
		{packet(egress.UDP, "169.254.169.254", 53), false},
		{packet(egress.TCP, "100.100.100.200", 80), false},
		{packet(egress.TCP, "fd00:ec2::254", 80), false},
		{packet(egress.TCP, "64:ff9b::a9fe:a9fe", 80), false},
		{packet(egress.TCP, "10.200.0.1", 22), false},
		{packet(egress.UDP, "10.200.0.1", 53), true},
		{packet(egress.TCP, "fd00:99::1", 22), false},
		{packet(egress.ICMP, "10.200.0.1", 0), false},
		{packet(egress.TCP, "10.99.0.7", 8080), false},
		{packet(egress.UDP, "239.255.255.250", 1900), false},
		{packet(egress.UDP, "ff05::2", 162), false},
		{packet(egress.UDP, "fd00:99::", 162), false},    // the routers of its own subnet
		{packet(egress.UDP, "fd00:1:2:3::", 162), false}, // of any
		{packet(egress.UDP, "fd00:1:2:3::1", 162), true},
		{packet(egress.ICMP, "1.1.1.1", 0), true},
		{packet(egress.TCP, "1.1.1.1", 443), true},
		{packet(egress.TCP, "10.201.0.77", 443), true},
		{packet(egress.UDP, "2606:4700::1111", 443), true},
	} {
		if got := l.reaches(t, c.p); got != c.want {
			t.Errorf("%v: reaches %v", c.p, got)
		}
	}
}

func TestEveryKindOfRuleIsVerified(t *testing.T) {
	l := newLab(t)
	p := egress.Policy{Default: egress.Deny, Allow: []string{
		"dns", "host", "private:8000-8100/tcp", "internet", "10.1.2.3", "0.0.0.0/0/icmp", "[2001:db8::/32]:443/tcp", "metadata:80",
	}, Deny: []string{"metadata", "link-local", "::/0", "10.0.0.0/7"}}
	in, err := Install(Request{FD: l.box, Egress: []egress.Policy{p, restricted()}, Ingress: []egress.Policy{{Default: egress.Deny, Allow: []string{"private:80/tcp", "host"}}}, Facts: labFacts()})
	must(t, err)
	c, err := open(l.box)
	must(t, err)
	defer c.close()
	chains, err := c.chains()
	must(t, err)
	if len(chains) != 8 { // two layers out with three chains each, one in with two
		t.Errorf("%d chains", len(chains))
	}
	// A second time nothing is added.
	again, err := Install(Request{FD: l.box, Egress: []egress.Policy{restricted()}, Facts: labFacts()})
	must(t, err)
	if len(again.added) != 0 {
		t.Error("the same rules were added twice")
	}
	must(t, in.Undo())
	chains, err = c.chains()
	must(t, err)
	sets, err := c.nft.GetSets(table())
	must(t, err)
	if len(chains)+len(sets) != 0 {
		t.Errorf("left after undo: %d chains, %d sets", len(chains), len(sets))
	}
}

// A network that is wired later is not in the facts: what every host of it
// answers to is denied by what the kernel says of the address at that moment.
func TestNetworkThatIsWiredLater(t *testing.T) {
	l := newLab(t)
	_, err := Install(Request{FD: l.box, Egress: []egress.Policy{restricted()}, Facts: labFacts()})
	must(t, err)
	box, err := netlink.NewHandleAt(netns.NsHandle(l.box), unix.NETLINK_ROUTE)
	must(t, err)
	defer box.Close()
	link, err := box.LinkByName("eth0")
	must(t, err)
	for _, a := range []string{"10.77.1.2/16", "fd00:77::2/64"} {
		addr, err := netlink.ParseAddr(a)
		must(t, err)
		addr.Flags = unix.IFA_F_NODAD
		must(t, box.AddrAdd(link, addr))
	}
	for _, p := range []egress.Packet{
		packet(egress.UDP, "10.77.255.255", 161), packet(egress.UDP, "fd00:77::", 162), packet(egress.UDP, "10.200.0.255", 161),
		packet(egress.UDP, "255.255.255.255", 161), packet(egress.UDP, "224.0.0.1", 161), packet(egress.UDP, "ff02::1", 161),
	} {
		if l.reaches(t, p) {
			t.Errorf("%v is reached", p)
		}
	}
	without := newLab(t)
	if !without.reaches(t, packet(egress.UDP, "10.200.0.255", 161)) {
		t.Error("without rules the broadcast address is not reached: the test sees nothing")
	}
}
