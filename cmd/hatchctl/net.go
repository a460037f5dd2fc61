package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// watchEvery is how often --watch looks.
const watchEvery = 2 * time.Second

func netCommand(o *options) *cobra.Command {
	var asJSON, watch bool
	cmd := group(&cobra.Command{
		Use:   "net CONTAINER",
		Short: "Show a container's network rules, what they matched and what they dropped",
		Long: `Show a container's network rules in the order in which the kernel asks them, with
the packets and bytes that each matched and the line of the policy that set it,
and the destinations of the last hour's dropped packets. Where the policy has names:
those that the container looked up, their addresses, and those that were refused.

` + nameHelp + `

Containers of one pod share the rules. 'hatchctl net check' shows whether a packet
would be dropped, without sending one.`,
		Example: `  hatchctl net web
  hatchctl net --watch shop/front/app
  hatchctl net check policy.yaml --to 169.254.169.254:80/tcp`,
	}, netCheckCommand(o))
	help := cmd.RunE
	cmd.ValidArgsFunction = o.completeNames
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return help(cmd, args)
		}
		n, err := o.network(args[0])
		if err != nil {
			return err
		}
		defer firewall.Close(n.fd)
		for {
			r, err := firewall.Read(n.fd)
			if err != nil {
				return err
			}
			names := o.looked(n.root, n.id, n.rec)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), withNames{r, names})
			} else {
				n.print(cmd.OutOrStdout(), r)
				names.print(cmd.OutOrStdout())
			}
			if err != nil || !watch {
				return err
			}
			time.Sleep(watchEvery)
			if !asJSON {
				fmt.Fprintln(cmd.OutOrStdout())
			}
		}
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&watch, "watch", false, "print it again every two seconds, until interrupted")
	return cmd
}

// withNames is what --json prints.
type withNames struct {
	firewall.Report
	Names *looked `json:"names,omitempty"`
}

// network is the network namespace of one container.
type network struct {
	root, id string
	rec      *decision.Record
	fd       int
}

var errNoRules = errors.New("the container has no network rules")

func (o *options) network(name string) (*network, error) {
	e, err := o.one(name)
	if err != nil {
		return nil, err
	}
	if kind := e.Record.Network.Kind; e.Record.Ceiling == nil || kind != plan.NetworkStart && kind != plan.NetworkHooked && kind != plan.NetworkJoined {
		return nil, fmt.Errorf("%w: %s", errNoRules, whyNone(e.Record.Network.Kind))
	}
	first, err := lowlevel.FindInit(e.Root, e.ID)
	if err != nil {
		return nil, err
	}
	fd, err := firewall.Open(fmt.Sprintf("/proc/%d/ns/net", first.Pid), host.FileID{})
	return &network{e.Root, e.ID, e.Record, fd}, err
}

func whyNone(kind any) string {
	switch kind {
	case plan.NetworkFree:
		return "its profile stops nothing"
	case plan.NetworkLoopback:
		return "it was started without root, who alone can install them"
	}
	return "it was started as asked (complain mode), or by a version that had none"
}

func (n *network) print(w io.Writer, r firewall.Report) {
	for i, l := range r.Layers {
		if i > 0 {
			fmt.Fprintln(w)
		}
		title, key, p := n.layer(l.Name)
		fmt.Fprintln(w, title)
		table := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
		fmt.Fprintln(table, "  RULE\tPACKETS\tBYTES\tPOLICY")
		for _, c := range l.Rules {
			fmt.Fprintf(table, "  %s\t%d\t%d\t%s\n", harmless(c.Words), c.Packets, c.Bytes, harmless(where(p, key, c.Words)))
		}
		_ = table.Flush()
	}
	printNoted(w, r.Noted)
}

// layer names the policy that a layer is of, where it is this container's.
func (n *network) layer(name string) (title, key string, p *policy.Profile) {
	p = n.rec.Ceiling
	for _, one := range p.EgressPolicies() {
		if strings.HasPrefix(name, firewall.Name(one, false)) {
			return "out, by " + one.Name, "egress", p
		}
	}
	for _, one := range p.IngressPolicies() {
		if firewall.Name(one, true) == name {
			return "in, by " + one.Name, "ingress", p
		}
	}
	dir, _, _ := strings.Cut(name, "-")
	if dir == "forward" {
		return "forwarded for others", "", nil
	}
	return dir + ", by the policy of another container in this namespace", "", nil
}

// where is the place in the policy of a rule's entry.
func where(p *policy.Profile, key, words string) string {
	verdict, entry, ok := strings.Cut(words, " ")
	if p == nil || !ok || verdict != "allow" && verdict != "deny" {
		return ""
	}
	if entry == "default" {
		entry = ""
	}
	return p.WhereEntry(key, verdict, entry)
}

func printNoted(w io.Writer, all []firewall.Noted) {
	if len(all) == 0 {
		fmt.Fprintln(w, "\nnothing was dropped in the last hour")
		return
	}
	fmt.Fprintln(w, "\ndropped in the last hour, the latest first")
	table := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(table, "  WHAT\tPACKETS\tBYTES\tAGO")
	for _, n := range all {
		direction := "to "
		if n.Inbound {
			direction = "from "
		}
		fmt.Fprintf(table, "  %s%s\t%d\t%d\t%s\n", direction, n, n.Packets, n.Bytes, n.Ago.Round(time.Second))
	}
	_ = table.Flush()
}
