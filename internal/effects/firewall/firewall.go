// Package firewall puts a container's egress and ingress rules into its network
// namespace, with nftables, and reads back what they did.
//
// Guarantees: all rules of a container are there, as they were compiled and
// read back from the kernel, or none is and Install fails; nothing but the
// table `inet hatchdog` is touched (and `inet hatchdog-isolated`, by Isolate and Rejoin); rules that are there for another container
// in the namespace stay, so that a packet must pass both.
// Does not cover: a process that may change the namespace afterwards (CAP_NET_ADMIN
// in the user namespace that owns it) and packet sockets (CAP_NET_RAW), which go
// around the rules: the control refuses both.
// Requires: nf_tables with the families inet and conntrack; CAP_NET_ADMIN over
// the namespace and CAP_SYS_ADMIN.
// Spec fields touched: none.
package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
)

// tableName is our own table. No other is read or changed.
const tableName = "hatchdog"

// Request is what to install in a network namespace.
type Request struct {
	FD      int // of the namespace
	Egress  []egress.Policy
	Ingress []egress.Policy
	Facts   egress.Facts
	Rate    *int64 // bits in a second for each interface; nil is no limit
}

// Installed is what was added to a namespace.
type Installed struct {
	fd    int
	added []layer
	// Gates are what the names of the policies open, Facts what the rules were
	// made with.
	Gates []egress.Gate
	Facts egress.Facts
	// Refused is Policy.Refused of the policy with the names.
	Refused bool
}

var errUnverified = errors.New("the kernel does not hold the rules as they were sent")

// Install puts the rules into the namespace in one transaction, and verifies
// them.
func Install(r Request) (*Installed, error) {
	layers, err := compile(r)
	if err != nil {
		return nil, err
	}
	in := &Installed{fd: r.FD, Facts: r.Facts}
	for _, l := range layers {
		if l.named() {
			in.Gates, in.Refused = l.chain.Gates, l.refused
		}
	}
	if len(layers) > 0 {
		if err := in.install(layers); err != nil {
			return nil, fmt.Errorf("firewall: %w", err)
		}
	}
	if r.Rate != nil {
		if err := host.Apart(func() error { return limitRate(r.FD, *r.Rate) }); err != nil {
			return nil, errors.Join(fmt.Errorf("rate: %w", err), in.Undo())
		}
	}
	return in, nil
}

func (in *Installed) install(layers []layer) error {
	c, err := open(in.fd)
	if err != nil {
		return err
	}
	defer c.close()
	before, err := c.chains()
	if err != nil {
		return err
	}
	if layers, err = settled(layers, before); err != nil {
		return err
	}
	err = in.put(c, layers, before)
	if errors.Is(err, unix.ENOENT) { // a kernel without nft_reject_inet
		for i := range layers {
			layers[i].silent = true
		}
		err = in.put(c, layers, before)
	}
	return err
}

// put sends the layers that the kernel does not have yet, and verifies them.
func (in *Installed) put(c *kernel, layers []layer, before map[string]*nftables.Chain) error {
	changed := false
	programs := make([]*program, len(layers))
	for i, l := range layers {
		programs[i] = build(l)
		there := before[l.base()] != nil
		if there && c.verify(programs[i], before) == nil {
			continue
		}
		if there {
			if err := c.remove(l); err != nil {
				return err
			}
		} else {
			in.added = append(in.added, l)
		}
		if err := c.add(programs[i]); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	if err := c.nft.Flush(); err != nil {
		in.added = nil
		return err
	}
	after, err := c.chains()
	if err != nil {
		return errors.Join(err, in.Undo())
	}
	for _, p := range programs {
		if err := c.verify(p, after); err != nil {
			return errors.Join(err, in.Undo())
		}
	}
	return nil
}

// Undo takes away what Install added. Rules that were there before stay.
func (in *Installed) Undo() error {
	if in == nil || len(in.added) == 0 {
		return nil
	}
	c, err := open(in.fd)
	if err != nil {
		return fmt.Errorf("firewall: undo: %w", err)
	}
	defer c.close()
	for _, l := range in.added {
		if err := c.remove(l); err != nil {
			return fmt.Errorf("firewall: undo: %w", err)
		}
	}
	if err := c.nft.Flush(); err != nil {
		return fmt.Errorf("firewall: undo: %w", err)
	}
	in.added = nil
	return nil
}

// layer is one policy for one direction. A packet passes every layer.
type layer struct {
	key     string // of the policy, and of the resolvers that it was installed with
	inbound bool
	chain   egress.Chain
	facts   egress.Facts
	silent  bool // what is dropped gets no reset
	refused bool // as Policy.Refused has it
}

func compile(r Request) ([]layer, error) {
	var all []layer
	for _, dir := range []struct {
		inbound  bool
		policies []egress.Policy
	}{{false, r.Egress}, {true, r.Ingress}} {
		for _, p := range dir.policies {
			c, err := egress.Compile(p, r.Facts)
			if err != nil {
				return nil, err
			}
			l := layer{key: layerKey(p, r.Facts), inbound: dir.inbound, chain: c, facts: r.Facts, refused: p.Refused}
			if !slices.ContainsFunc(all, func(o layer) bool { return o.base() == l.base() }) {
				all = append(all, l)
			}
		}
	}
	return all, nil
}

func key(p egress.Policy) string {
	p.Refused = false          // says nothing of packets
	p.Name = ""                // two profiles with the same rules are one layer
	data, _ := json.Marshal(p) // strings and lists of strings always encode
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:keyLength/2])
}

// keyLength is how many characters say which policy a layer is of.
const keyLength = 8

// layerKey: a policy with other resolvers is another layer, and a packet passes
// both. They are read from a file that a container may have written, who then
// must not open more than the first had.
func layerKey(p egress.Policy, f egress.Facts) string {
	all := slices.Clone(f.Resolvers)
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	if len(all) == 0 {
		return key(p)
	}
	sum := sha256.Sum256(fmt.Append(nil, all))
	return key(p) + hex.EncodeToString(sum[:4])
}

func (l layer) base() string {
	if l.inbound {
		return "in-" + l.key
	}
	return "out-" + l.key
}

func (l layer) dropChain() string { return "drop-" + l.base() }

func (l layer) forward() string { return "forward-" + l.key }

func table() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
}
