package firewall

import (
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// reset ends a connection that is dropped on its way out, so that the program
// knows at once: the kernel tells a caller of any packet that was dropped but of
// one of TCP, which it sends again and again. An ICMP error would add nothing but
// load: older kernels bound those of all namespaces together.
//
// A reset goes to the source of the packet. Where that is no address of the
// namespace (a socket may have any with IPV6_FREEBIND) nothing is sent, or it
// would leave for whoever the container writes there.
func (p *program) reset(l layer, drop *nftables.Chain) {
	if l.inbound || l.silent {
		return
	}
	p.rule(drop, wordReset, protocol(unix.IPPROTO_TCP), []expr.Any{
		&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagSADDR: true},
		equal(1, binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)),
		&expr.Counter{},
		&expr.Reject{Type: unix.NFT_REJECT_TCP_RST},
	})
}
