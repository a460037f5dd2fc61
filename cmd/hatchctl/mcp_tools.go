package main

import (
	"context"
	"errors"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/layer"
)

type (
	noInput    struct{}
	namedInput struct {
		Name string `json:"name" jsonschema:"of the run"`
	}
	applyInput struct {
		Name    string `json:"name" jsonschema:"of the run"`
		Discard bool   `json:"discard,omitempty" jsonschema:"forget the changes instead"`
	}
)

// The bounds of what is told at once.
const (
	toldPaths   = 200
	toldChanges = 1000
	toldText    = 64 << 10 // bytes
)

// explained is what a command gets.
type explained struct {
	Directory  string       `json:"directory" jsonschema:"where a command starts"`
	Grants     []eventGrant `json:"grants" jsonschema:"what it sees beyond the system's programs and libraries"`
	Allow      []string     `json:"allow" jsonschema:"destinations that it may reach; everything else is closed"`
	Limits     eventLimits  `json:"limits" jsonschema:"processes, bytes, CPUs, milliseconds"`
	Exec       bool         `json:"exec" jsonschema:"programs run that lie where it can write"`
	Overlay    bool         `json:"overlay" jsonschema:"it writes to a copy"`
	AllowApply bool         `json:"allowApply"`
	Hidden     []string     `json:"hidden" jsonschema:"paths in the grants that it does not see, the first 200"`
	Kept       []string     `json:"kept" jsonschema:"paths in the grants that it cannot write to, the first 200"`
	Exits      string       `json:"exits"`
}

func (k *keeper) toolExplain(context.Context, *mcp.CallToolRequest, noInput) (*mcp.CallToolResult, explained, error) {
	k.slow.Lock()
	defer k.slow.Unlock()
	b := *k.ceiling
	b.Found = sandbox.Found{}
	if err := b.Search(k.homes); err != nil {
		return nil, explained{}, errors.New(plain.Text(err.Error()))
	}
	l := b.Limits
	e := explained{
		Directory: plain.Line(b.Workdir()), Grants: []eventGrant{}, Allow: append([]string{}, b.Allow...), Exec: b.Exec, Overlay: k.overlay, AllowApply: k.allowApply,
		Limits: eventLimits{l.Pids, l.Memory, l.CPU, l.Time.Milliseconds(), l.Output, l.Tmp},
		Hidden: pathsOf(b.Found.Hidden), Kept: pathsOf(b.Found.Kept),
		Exits: "the command's own; 121 it printed more than the limit, 122 killed for lack of memory, 124 out of time, 125 the box was not made, 126 and 127 not started",
	}
	for _, g := range b.Grants {
		e.Grants = append(e.Grants, eventGrant{plain.Line(g.Path), g.Write})
	}
	return nil, e, nil
}

func pathsOf(all []sandbox.Closed) []string {
	out := []string{}
	for _, c := range all[:min(len(all), toldPaths)] {
		out = append(out, plain.Line(c.Path))
	}
	return out
}

// reasons are what a command did not get.
type reasons struct {
	Denied []lack   `json:"denied" jsonschema:"the worst first"`
	Ended  string   `json:"ended,omitempty"`
	Unseen []string `json:"unseen" jsonschema:"what is denied without being counted"`
}

func (k *keeper) toolWhy(_ context.Context, _ *mcp.CallToolRequest, in namedInput) (*mcp.CallToolResult, reasons, error) {
	r, err := k.find(in.Name)
	if err != nil {
		return nil, reasons{}, err
	}
	out := reasons{Denied: []lack{}, Ended: r.result.Ended, Unseen: append([]string{}, r.unseen...)}
	for _, d := range r.denied {
		d.What, d.Flag = plain.Line(d.What), plain.Line(d.Flag)
		out.Denied = append(out.Denied, d)
	}
	return nil, out, nil
}

// differences are what a command changed.
type differences struct {
	Directories []difference `json:"directories"`
}

type difference struct {
	Directory string         `json:"directory"`
	Changes   []layer.Change `json:"changes" jsonschema:"the first 1000; one that is marked is applied by the user alone"`
	Count     int            `json:"count" jsonschema:"of all changes"`
	Text      string         `json:"text" jsonschema:"the lines that differ, the first 64 KiB"`
}

var (
	errNoChanges = errors.New("no changes of that run wait")
	errNotApply  = errors.New("the user has not let this client apply changes (hatchctl mcp --allow-apply): the user looks at them with 'hatchctl run diff' and applies them with 'hatchctl run apply'")
)

// changed opens the copies of a run of this session.
func (k *keeper) changed(name string) ([]*layer.Layer, error) {
	r, err := k.find(name)
	if err != nil {
		return nil, err
	}
	if !r.waits {
		return nil, errNoChanges
	}
	return layer.Open(k.layers, name)
}

func (k *keeper) toolDiff(_ context.Context, _ *mcp.CallToolRequest, in namedInput) (*mcp.CallToolResult, differences, error) {
	k.slow.Lock()
	defer k.slow.Unlock()
	out := differences{Directories: []difference{}}
	all, err := k.changed(in.Name)
	if err != nil {
		return nil, out, err
	}
	left := toldText
	for _, l := range all {
		changes, err := l.Changes()
		if err != nil {
			return nil, out, errors.New(plain.Text(err.Error()))
		}
		d := difference{Directory: plain.Line(l.Dir), Changes: []layer.Change{}, Count: len(changes)}
		var text strings.Builder
		for _, c := range changes[:min(len(changes), toldChanges)] {
			if left > 0 {
				one, err := l.Text(c)
				if err != nil {
					return nil, out, errors.New(plain.Text(err.Error()))
				}
				one = plain.Cut(plain.Text(one), left)
				left -= len(one)
				text.WriteString(one)
			}
			c.Path, c.To = plain.Line(c.Path), plain.Line(c.To)
			d.Changes = append(d.Changes, c)
		}
		d.Text = text.String()
		out.Directories = append(out.Directories, d)
	}
	return nil, out, nil
}

// applied tells what became of changes.
type applied struct {
	Applied bool `json:"applied"`
}

func (k *keeper) toolApply(_ context.Context, _ *mcp.CallToolRequest, in applyInput) (*mcp.CallToolResult, applied, error) {
	if !in.Discard && !k.allowApply {
		return nil, applied{}, errNotApply
	}
	k.slow.Lock()
	defer k.slow.Unlock()
	all, err := k.changed(in.Name)
	if err != nil {
		return nil, applied{}, err
	}
	for _, l := range all {
		if in.Discard {
			break
		}
		changes, err := l.Changes()
		if err == nil {
			err = l.Apply(changes, false)
		}
		if err != nil {
			return nil, applied{}, errors.New(plain.Text(err.Error()))
		}
	}
	if err := layer.Discard(k.layers, in.Name); err != nil {
		return nil, applied{}, errors.New(plain.Text(err.Error()))
	}
	k.settled(in.Name)
	return nil, applied{Applied: !in.Discard}, nil
}
