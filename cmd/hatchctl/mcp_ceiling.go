package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// pathFlags are those whose values are paths: they mean the same wherever a run
// is started.
var pathFlags = []string{"rw", "ro", "policy-from", "policy", "box-dir"}

// prepare finds what the flags give, and the command line of each run: every flag
// in one word, so that no value is read as a flag.
func (k *keeper) prepare(flags *pflag.FlagSet) error {
	k.flags.noAsk = true
	alone := *k.flags
	alone.secret = nil // read by the runs
	r, err := k.o.request(&alone, []string{"true"})
	if err != nil {
		return err
	}
	for _, name := range k.flags.secret {
		if _, there := os.LookupEnv(name); !there {
			return fmt.Errorf("--secret %s: it is not set here", name)
		}
	}
	k.ceiling, k.homes, k.layers, k.overlay, k.program = &r.Box, r.Homes, r.Places.Layers, r.Overlay, r.Box.Init
	shared, own := words(flags, k.ceiling.Cwd, "allow-apply", "runs", "rw", "ro")
	own = append(own, granted(k.ceiling)...)
	k.args = slices.Concat(shared, []string{"run", "--report=none", "--no-ask"}, own)
	return nil
}

// granted are the flags for what a box was granted by name. They have the paths that
// were found, not those that were given: a link that a run sets must not lead the next
// one elsewhere.
func granted(b *sandbox.Box) []string {
	all := b.Grants
	if b.Before != nil {
		all = b.Before
	}
	var flags []string
	for _, g := range all {
		switch {
		case g.Write:
			flags = append(flags, "--rw="+g.Path)
		case !g.Implied:
			flags = append(flags, "--ro="+g.Path)
		}
	}
	return flags
}

// words are the flags as they were given, each in one word, with paths that mean
// the same everywhere: those of every command, and those of this one.
func words(flags *pflag.FlagSet, cwd string, without ...string) (shared, own []string) {
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, is := f.Value.(pflag.SliceValue); is {
			values = list.GetSlice()
		}
		for _, v := range values {
			if cwd != "" && slices.Contains(pathFlags, f.Name) && !filepath.IsAbs(v) {
				v = filepath.Join(cwd, v)
			}
			switch word := "--" + f.Name + "=" + v; {
			case f.Name == "policy" || f.Name == "state-dir":
				shared = append(shared, word)
			case !slices.Contains(without, f.Name):
				own = append(own, word)
			}
		}
	})
	return shared, own
}

var (
	errNotGranted = errors.New("the user did not let commands write there")
	errNotAllowed = errors.New("the user did not allow that destination")
	errPath       = errors.New("a path is absolute, or below the working directory, and has no .. in it")
	errCommand    = errors.New("command: 1 to 4096 words without zero bytes, 128 KiB together")
)

// narrowing is the part of a request that takes from the ceiling.
type narrowing struct {
	RW      []string `json:"rw,omitempty" jsonschema:"directories that the command may write to, of those that the user granted; all of them where this is missing, none where it is empty"`
	Allow   []string `json:"allow,omitempty" jsonschema:"destinations that the command may reach, of those that the user allowed; all where this is missing, none where it is empty"`
	Hide    []string `json:"hide,omitempty" jsonschema:"patterns of names to hide as well, as *.csv"`
	NoExec  bool     `json:"noExec,omitempty" jsonschema:"do not run programs that lie where the command can write"`
	Memory  string   `json:"memory,omitempty" jsonschema:"as 256MiB"`
	Output  string   `json:"output,omitempty" jsonschema:"how much it may print, as 1MiB"`
	Tmp     string   `json:"tmp,omitempty"`
	Time    string   `json:"time,omitempty" jsonschema:"how long it may take, as 90s or 10m"`
	Pids    int64    `json:"pids,omitempty"`
	CPU     float64  `json:"cpu,omitempty"`
	Overlay bool     `json:"overlay,omitempty" jsonschema:"write to a copy, whose changes count only when they are applied"`
}

// text is what the run is narrowed by: the file of a repository, with paths from
// the root. It holds to the ceiling whatever it says; what is not below that is an
// error here, where the client can be told.
func (n narrowing) text(ceiling *sandbox.Box) ([]byte, error) {
	all := map[string]any{"version": 1}
	if n.RW != nil {
		paths := []string{}
		for _, p := range n.RW {
			full, err := within(ceiling.Cwd, p)
			if err != nil {
				return nil, fmt.Errorf("rw: %w", err)
			}
			if !slices.ContainsFunc(ceiling.Grants, func(g sandbox.Grant) bool { return g.Write && sandbox.Below(g.Path, full) }) {
				return nil, fmt.Errorf("rw: %q: %w", p, errNotGranted)
			}
			paths = append(paths, strings.TrimPrefix(full, "/"))
		}
		all["rw"] = paths
	}
	if n.Allow != nil {
		entries := []string{}
		for _, text := range n.Allow {
			one, err := allowedOne(text)
			if err != nil || !slices.Contains(ceiling.Allow, one) {
				return nil, fmt.Errorf("allow: %q: %w", text, errNotAllowed)
			}
			entries = append(entries, one)
		}
		all["allow"] = entries
	}
	for key, value := range map[string]string{"memory": n.Memory, "output": n.Output, "tmp": n.Tmp} {
		if value != "" {
			all[key] = value
		}
	}
	if n.Time != "" {
		d, err := time.ParseDuration(n.Time)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("time: %q is not a time as 90s", n.Time)
		}
		all["time"] = d.String()
	}
	if n.Pids != 0 {
		all["pids"] = n.Pids
	}
	if n.CPU != 0 {
		all["cpu"] = n.CPU
	}
	if n.NoExec {
		all["exec"] = false
	}
	if n.Overlay {
		all["overlay"] = true
	}
	if len(n.Hide) > 0 {
		all["hide"] = n.Hide
	}
	return yaml.Marshal(all)
}

// within is the path that a request means.
func within(cwd, p string) (string, error) {
	full := p
	if !filepath.IsAbs(p) {
		full = cwd + "/" + p
	}
	if p == "" || strings.ContainsAny(p, "\x00\n") || slices.Contains(strings.Split(p, "/"), "..") {
		return "", fmt.Errorf("%q: %w", p, errPath)
	}
	return filepath.Clean(full), nil
}

// runnable checks what is to be run.
func runnable(args []string) error {
	size := 0
	for _, a := range args {
		if size += len(a) + 1; strings.Contains(a, "\x00") {
			return errCommand
		}
	}
	if len(args) == 0 || len(args) > 4096 || size > 128<<10 || args[0] == "" {
		return errCommand
	}
	return nil
}
