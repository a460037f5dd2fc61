// Package resolver answers DNS for one container whose policy has names: a
// process of its own, which asks the resolver that the container has, and has
// the kernel open the address of each name that the policy allows before it
// lets the answer go.
//
// Guarantees: no name goes to another resolver but those that the policy allows;
// no address is answered that the kernel did not enter; it has no capability, no
// file system, no system call with which it could get a socket or a file, and
// what its sockets may send is bounded by the rules of package firewall. It ends
// with the container's first process. When it dies, names stop resolving, and
// nothing opens.
// Does not cover: what is said above the port, and who else has the address of
// a name that is allowed (a CDN). The answers are as true as the resolver that
// is asked: DNSSEC is left to it.
// Requires: the rules of firewall.Install in the namespace; CAP_SYS_ADMIN and
// CAP_NET_ADMIN to start it, which it gives up.
// Spec fields touched: none.
package resolver

import (
	"net/netip"
	"time"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// Verb is what the command line of the process begins with.
const Verb = "names-resolver"

// Config is what the process is told.
type Config struct {
	Gates  []egress.Gate `json:"gates"`
	Asked  []netip.Addr  `json:"asked"`
	Behind []netip.Addr  `json:"behind,omitempty"`
	// Refused is the answer for a name that has no gate, in place of NXDOMAIN.
	Refused bool `json:"refused,omitempty"`
	// The descriptors that it has, in this order, from firstFD on.
	Listeners, Streams   int // of UDP and TCP
	Datagrams4, Streams4 int // that ask
	Datagrams6, Streams6 int
}

// The descriptors that every such process has.
const (
	configFD = 3 + iota
	readyFD
	firstProcessFD // a pidfd
	statusFD
	orderFD
	firstFD
)

// The bounds of what it does at once, and of how long it waits.
const (
	datagrams   = 16 // questions under way to others
	streams     = 4
	connections = 16 // of the container's
	waiting     = 64 // questions that wait for their turn
	patience    = 1500 * time.Millisecond
	attempts    = 4
	idle        = 10 * time.Second // of a connection
	maxAnswer   = 65535
	maxRecords  = 32 // addresses of one answer
	maxChain    = 16 // aliases of one answer
)

// The rates at which names go to others. A name that the policy spells out
// carries nothing; what stands for a wildcard does.
const (
	perSecond, burst         = 1000, 2000
	starPerSecond, starBurst = 20, 200
)
