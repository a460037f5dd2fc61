package egress

import (
	"net/netip"
	"slices"
)

// The groups that an entry can name.
const (
	groupMetadata  = "metadata"
	groupLinkLocal = "link-local"
	groupHost      = "host"
	groupPrivate   = "private"
	groupInternet  = "internet"
	groupDNS       = "dns"
)

// Groups lists the names.
func Groups() []string {
	return []string{groupMetadata, groupLinkLocal, groupHost, groupPrivate, groupInternet, groupDNS}
}

// Source is an address with the place that says what it is.
type Source struct {
	Addr   netip.Addr
	Cloud  string
	Source string
}

// Metadata are the addresses at which clouds give a machine its credentials.
func Metadata() []Source {
	return []Source{
		{netip.MustParseAddr("169.254.169.254"), "Amazon, Azure, Google, Oracle, DigitalOcean, OpenStack and others", "docs.aws.amazon.com: Use IMDS; cloud-init: datasources"},
		{netip.MustParseAddr("fd00:ec2::254"), "Amazon, over IPv6", "docs.aws.amazon.com: IPv6 on AWS, Supporting Amazon VPC services"},
		{netip.MustParseAddr("169.254.170.2"), "Amazon ECS, task credentials", "docs.aws.amazon.com: ECS task IAM role, task metadata endpoint"},
		{netip.MustParseAddr("169.254.170.23"), "Amazon EKS, pod identity", "docs.aws.amazon.com: Set up the Amazon EKS Pod Identity Agent"},
		{netip.MustParseAddr("fd00:ec2::23"), "Amazon EKS, pod identity over IPv6", "docs.aws.amazon.com: Set up the Amazon EKS Pod Identity Agent"},
		{netip.MustParseAddr("fd20:ce::254"), "Google, machines with IPv6 alone", "cloud.google.com: View and query VM metadata"},
		{netip.MustParseAddr("168.63.129.16"), "Azure, the machine's agent and keys", "learn.microsoft.com: What is IP address 168.63.129.16"},
		{netip.MustParseAddr("100.100.100.200"), "Alibaba", "alibabacloud.com: View instance metadata"},
		{netip.MustParseAddr("fd00:100::100:200"), "Alibaba, over IPv6", "alibabacloud.com: View instance metadata"},
		{netip.MustParseAddr("192.0.0.192"), "Oracle Cloud at Customer", "docs.oracle.com: Retrieve Predefined Instance Metadata"},
		{netip.MustParseAddr("fd00:c1::a9fe:a9fe"), "Oracle, over IPv6", "docs.oracle.com: Getting Instance Metadata; oci-python-sdk"},
		{netip.MustParseAddr("169.254.42.42"), "Scaleway", "cloud-init: Scaleway datasource"},
		{netip.MustParseAddr("fd00:42::42"), "Scaleway, over IPv6", "cloud-init: Scaleway datasource"},
		{netip.MustParseAddr("fd00:a9fe:a9fe::1"), "Akamai (Linode), over IPv6", "techdocs.akamai.com: Use the Metadata service API"},
		{netip.MustParseAddr("fe80::a9fe:a9fe"), "Akamai (Linode) and OpenStack, over IPv6", "techdocs.akamai.com: Use the Metadata service API"},
		{netip.MustParseAddr("169.254.0.23"), "Tencent", "intl.cloud.tencent.com: Instance metadata"},
	}
}

// nat64 is the prefix under which a translator reaches IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func throughNAT64(a netip.Addr) netip.Addr {
	wide, low := nat64.Addr().As16(), a.As4()
	copy(wide[12:], low[:])
	return netip.AddrFrom16(wide)
}

func metadataPrefixes() []netip.Prefix {
	var all []netip.Prefix
	for _, m := range Metadata() {
		all = append(all, single(m.Addr))
		if m.Addr.Is4() {
			all = append(all, single(throughNAT64(m.Addr)))
		}
	}
	return all
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func singles(addrs []netip.Addr) []netip.Prefix {
	var all []netip.Prefix
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); a.IsValid() && !a.IsLoopback() && !a.IsUnspecified() {
			all = append(all, single(a))
		}
	}
	slices.SortFunc(all, func(x, y netip.Prefix) int { return x.Addr().Compare(y.Addr()) })
	return slices.Compact(all)
}

// multicast reaches whoever listens on the link, the host among them (RFC 5771,
// RFC 4291).
func multicast() []netip.Prefix { return prefixes("224.0.0.0/4", "ff00::/8") }

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// linkLocal is what never leaves a link, multicast and broadcast included
// (RFC 3927, RFC 4291, RFC 5771).
func linkLocal() []netip.Prefix {
	return prefixes("169.254.0.0/16", "224.0.0.0/24", "255.255.255.255/32", "fe80::/10", "ff02::/16")
}

// private is what no one outside an organisation can reach (RFC 1918,
// RFC 6598, RFC 4193).
func private() []netip.Prefix {
	return prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
}

// notInternet is what the group internet leaves out: what IANA's registries of
// special addresses do not call globally reachable, multicast, what other
// groups name, and in IPv6 whatever is not global unicast or holds an IPv4
// address.
func notInternet() []netip.Prefix {
	return slices.Concat(prefixes(
		"0.0.0.0/8", "127.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "169.254.0.0/16", "168.63.129.16/32",
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
		"::/3", "4000::/2", "8000::/1", "2001:db8::/32", "2001::/23", "2002::/16", "3fff::/20",
	))
}
