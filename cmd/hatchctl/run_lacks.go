package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
)

// lack is one kind of thing that the command did not get.
type lack struct {
	Kind  string `json:"kind"`
	What  string `json:"what"`
	Count int64  `json:"count"`
	Flag  string `json:"flag,omitempty"` // that would grant it
}

// The kinds of lacks, the worst first: what an attacker goes for, what leaves the
// host, what a command merely has too little of.
const (
	lackMetadata = "metadata" // the cloud's credentials, and what else is link-local
	lackHost     = "host"     // the host's own addresses and private ones
	lackPackets  = "packets"
	lackName     = "name"
	lackNoWay    = "no-network"
	lackMemory   = "memory"
	lackPids     = "pids"
	lackTime     = "time"
	lackOutput   = "output"
)

func lackKinds() []string {
	return []string{lackMetadata, lackHost, lackPackets, lackName, lackNoWay, lackMemory, lackPids, lackTime, lackOutput}
}

// lacks are what a command did not get, the worst first, then what it wanted most.
func lacks(r *run.Request, out run.Outcome) []lack {
	var all []lack
	add := func(kind string, n int64, flag, format string, args ...any) {
		if n > 0 {
			all = append(all, lack{kind, fmt.Sprintf(format, args...), n, flag})
		}
	}
	for _, n := range out.Noted {
		if !n.Inbound {
			all = append(all, lackOf(n, out.Names))
		}
	}
	for _, n := range out.Names.Refused {
		flag := ""
		if n.Reason == resolver.NotListed && allowable(n.Name) {
			flag = "--allow " + n.Name + ":PORT"
		}
		add(lackName, int64(n.Times), flag, "look-ups of %s: %s", n.Name, n.Reason)
	}
	add(lackNoWay, out.NoWay, "--allow ADDRESS:PORT", "sends to addresses, where no way leads: there is no network")
	l := r.Box.Limits
	switch out.Ended {
	case "time":
		add(lackTime, 1, "--time "+(2*l.Time).String(), "more time than %s", l.Time)
	case "output":
		add(lackOutput, 1, "--output "+units.BytesSize(float64(2*l.Output)), "more output than %s", units.BytesSize(float64(l.Output)))
	}
	add(lackMemory, out.Counted.OOMKills, "--memory "+units.BytesSize(float64(2*l.Memory)), "more memory than %s: processes killed", units.BytesSize(float64(l.Memory)))
	add(lackPids, out.Counted.PidsHits, "--pids "+strconv.FormatInt(2*l.Pids, 10), "more processes than %d: forks refused", l.Pids)
	slices.SortStableFunc(all, func(a, b lack) int {
		kinds := lackKinds()
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(b.Count, a.Count))
	})
	return all
}

// lackOf is a destination to which packets were dropped. Where it is an address of
// a name that was looked up, the flag grants the name.
func lackOf(n firewall.Noted, names resolver.Status) lack {
	host, port := n.Addr.String(), ""
	if n.Port > 0 {
		port = ":" + strconv.Itoa(int(n.Port))
		if n.Addr.Is6() {
			host = "[" + host + "]"
		}
	}
	l := lack{Kind: lackPackets, Count: int64(n.Packets), What: fmt.Sprintf("packets to %s%s (%s)", host, port, n.Proto)}
	switch {
	case slices.ContainsFunc(egress.Metadata(), func(s egress.Source) bool { return s.Addr == n.Addr }) || n.Addr.IsLinkLocalUnicast():
		l.Kind = lackMetadata // the cloud's credentials: nobody is led there
		return l
	case n.Addr.IsPrivate():
		l.Kind = lackHost
	}
	for _, one := range names.Names {
		if slices.Contains(one.Addrs, n.Addr) && port != "" {
			l.What = fmt.Sprintf("packets to %s%s (%s, an address of %s)", host, port, n.Proto, one.Name)
			if allowable(one.Name) {
				host = one.Name
			}
			break
		}
	}
	l.Flag = "--allow " + host + port + "/" + n.Proto
	return l
}

// allowable is true for a name that --allow takes. The command chooses what it looks
// up, and people copy flags into their shells.
func allowable(name string) bool {
	e, err := egress.Parse(name + ":443/tcp")
	return err == nil && e.Host == name && !strings.Contains(name, "*")
}
