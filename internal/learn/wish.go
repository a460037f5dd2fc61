package learn

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// base is the profile that a learned one extends, and never goes beyond.
const base = "restricted"

// Wish is what a profile is written for.
type Wish struct {
	Name string // of the recording
	// Grant are capabilities and calls beyond builtin/restricted that an
	// administrator admits by name.
	Grant  []string
	Native specs.Arch
}

// Line is a value of a profile with its evidence.
type Line struct {
	Value string
	Seen  Seen
	Note  string // why it is there, where nothing was seen of it
}

// Profile is what was learned, ready to be written.
type Profile struct {
	Name   string
	From   *Data
	Table  string // of seccomp
	Allow  []Line // granted by name beyond the table
	Deny   []string
	Calls  []Line // seen, and admitted
	Margin []Line // admitted, and not seen
	grants *seccomp.Grants

	Capabilities []Line

	ReadOnly bool
	Root     []Line // folders of the root that were written
	Tmpfs    []Line
	Closed   []string // bind mounts that nobody wrote to

	Devices []Line
	Network bool
	Egress  []Line
	Ingress []Line

	Pids, Memory, Files int64 // with their margins; 0 is none

	// Review is what was seen and is not granted.
	Review []Line
}

// Write makes a profile of what was seen.
func (d *Data) Write(w Wish) (*Profile, error) {
	if err := CheckName(w.Name); err != nil {
		return nil, err
	}
	pol, err := policy.Default()
	if err != nil {
		return nil, err
	}
	ceiling := pol.Profiles["builtin/"+base]
	if ceiling == nil {
		return nil, fmt.Errorf("builtin/%s: there is none", base)
	}
	p := &Profile{Name: "learned-" + w.Name, From: d}
	if err := p.checkGrants(w.Grant); err != nil {
		return nil, err
	}
	p.capabilities(d, ceiling, w.Grant)
	if err := p.seccomp(d, w); err != nil {
		return nil, err
	}
	if !d.CallsOnly {
		p.files(d)
		p.devices(d)
		if err := p.network(d, ceiling); err != nil {
			return nil, err
		}
	}
	p.limits(d, ceiling)
	return p, nil
}

func (p *Profile) checkGrants(grants []string) error {
	for _, g := range grants {
		if !strings.HasPrefix(g, "CAP_") && !slices.Contains(seccomp.Calls(), g) {
			return fmt.Errorf("%.80q is neither a capability nor a system call", g)
		}
	}
	return nil
}

func (p *Profile) capabilities(d *Data, ceiling *policy.Profile, grants []string) {
	if d.CallsOnly {
		for _, name := range ceiling.Capabilities.Max {
			if d.Capabilities[name].Count == 0 {
				p.Capabilities = append(p.Capabilities, Line{Value: name, Note: "builtin/" + base + " has it: which were used was not seen"})
			}
		}
	}
	for _, name := range sorted(d.Capabilities) {
		line := Line{Value: name, Seen: d.Capabilities[name]}
		switch {
		case !isCapability(name):
		case slices.Contains(ceiling.Capabilities.Max, name), slices.Contains(grants, name):
			p.Capabilities = append(p.Capabilities, line)
		default:
			p.Review = append(p.Review, line)
		}
	}
}

// seccomp takes the narrowest table that admits what was seen, and denies what of
// it was not.
func (p *Profile) seccomp(d *Data, w Wish) error {
	granted := seccomp.Wish{Native: w.Native}
	for _, c := range p.Capabilities {
		granted.Capabilities = append(granted.Capabilities, c.Value)
	}
	var admitted map[string]bool
	names := []string{"untrusted", base}
	if d.CallsOnly { // a call that both admit may have had arguments that one does not
		names = names[1:]
	}
	for _, name := range names {
		table, err := tables.Load(name)
		if err != nil {
			return err
		}
		g := table.Resolve(granted)
		p.Table, p.Calls, p.Allow, p.Margin, p.Deny, p.grants = name, nil, nil, nil, nil, g
		beyond := p.judge(d, g, w.Grant)
		if len(beyond) > 0 && name != base {
			continue
		}
		p.Review = append(p.Review, beyond...)
		admitted = map[string]bool{}
		for _, call := range table.Calls() {
			admitted[call] = len(g.Allows(call)) > 0
		}
		break
	}
	p.rest(admitted)
	return nil
}

// judge sorts what was seen into what the table admits, and what it does not.
func (p *Profile) judge(d *Data, g *seccomp.Grants, grants []string) (beyond []Line) {
	for _, key := range sorted(d.Calls) {
		name, args, told := parseCall(key)
		line := Line{Value: key, Seen: d.Calls[key]}
		allowed := g.Allows(name)
		switch {
		case !slices.Contains(seccomp.Calls(), name):
		case allowed.Always(), len(allowed) > 0 && (!told || allowed.Holds(args)):
			p.Calls = append(p.Calls, line)
		case slices.Contains(grants, name):
			if !slices.ContainsFunc(p.Allow, func(l Line) bool { return l.Value == name }) {
				p.Allow = append(p.Allow, Line{Value: name, Seen: line.Seen})
			}
		default:
			line.Note = g.Reason(name)
			beyond = append(beyond, line)
		}
	}
	return beyond
}

// rest denies what the table admits and nobody called, except for a margin.
func (p *Profile) rest(admitted map[string]bool) {
	seen := map[string]bool{}
	for _, l := range slices.Concat(p.Calls, p.Allow) {
		name, _, _ := parseCall(l.Value)
		seen[name] = true
	}
	why := margins(seen)
	for _, name := range slices.Sorted(keys(admitted)) {
		switch {
		case !admitted[name], seen[name]:
		case why[name] != "":
			p.Margin = append(p.Margin, Line{Value: name, Note: why[name]})
		default:
			p.Deny = append(p.Deny, name)
		}
	}
}
