package watch

import (
	"fmt"
	"slices"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/egress"
)

// So much is many, between two looks at the counters.
const (
	manyPackets      = 200
	manyDestinations = 20
)

// Dropped remembers what a container's rules had dropped.
type Dropped struct {
	packets map[string]uint64
	has     bool
	ruled   bool
}

// destinationsMost bounds what is remembered of one container.
const destinationsMost = 4096

// Look judges what was dropped since the last time. The first time it remembers.
func (d *Dropped) Look(r firewall.Report) []Finding {
	now := map[string]uint64{}
	var all []Finding
	packets, fresh := uint64(0), 0
	for _, n := range r.Noted {
		if n.Inbound || len(now) >= destinationsMost {
			continue
		}
		key := fmt.Sprintf("%s %s %d", n.Addr, n.Proto, n.Port)
		now[key] = n.Packets
		was, known := d.packets[key]
		if !known || n.Packets < was {
			was = 0
			fresh++
		}
		more := n.Packets - was
		packets += more
		if !d.has || more == 0 {
			continue
		}
		if i := slices.IndexFunc(egress.Metadata(), func(s egress.Source) bool { return s.Addr == n.Addr }); i >= 0 {
			all = append(all, found(Metadata, High, FromRules, n.Addr.String(), fmt.Sprintf("packets to %s were dropped, where a cloud (%s) gives a machine its credentials", n.Addr, egress.Metadata()[i].Cloud)))
		}
	}
	switch {
	case !d.has:
	case fresh >= manyDestinations:
		all = append(all, found(Network, High, FromRules, "scan", fmt.Sprintf("packets to %d destinations were dropped that it had not asked for before: it may be looking for others", fresh)))
	case packets >= manyPackets:
		all = append(all, found(Network, Low, FromRules, "rate", fmt.Sprintf("%d packets were dropped within a short time", packets)))
	}
	if d.ruled && len(r.Layers) == 0 {
		all = append(all, found(Gone, Critical, FromRules, "rules", "the network rules of its profile are gone"))
	}
	d.packets, d.has, d.ruled = now, true, len(r.Layers) > 0
	return all
}

// Label judges the profile of a security module that a process has now.
func Label(want, has string) (Finding, bool) {
	if want == "" || has == "" || want == "unconfined" {
		return Finding{}, false
	}
	if has == want || has == want+" (enforce)" {
		return Finding{}, false
	}
	f := found(Gone, Critical, FromProc, "label", fmt.Sprintf("the AppArmor profile %s holds its first process no more: it has %s", word(want), word(has)))
	f.Technique = "T1562.001" // Disable or Modify Tools
	return f, true
}
