package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Narrow is what a repository says of the box that its commands want. Nothing in
// it can widen what the caller granted.
type Narrow struct {
	Version int            `yaml:"version"`
	Memory  string         `yaml:"memory"`
	Output  string         `yaml:"output"`
	Tmp     string         `yaml:"tmp"`
	Pids    *int64         `yaml:"pids"`
	CPU     *float64       `yaml:"cpu"`
	Time    *time.Duration `yaml:"time"`
	Exec    *bool          `yaml:"exec"`    // false alone
	Overlay *bool          `yaml:"overlay"` // true alone
	// RW lists what of the directories that can be written to stays so, below
	// the repository.
	RW []string `yaml:"rw"`
	// Allow lists what of --allow stays, in the same words.
	Allow []string `yaml:"allow"`
	// Hide lists names that are hidden as well: a pattern of path.Match for a
	// name, or with a / for a path below the repository.
	Hide []string `yaml:"hide"`
}

// Errors of reading.
var (
	ErrNarrow  = errors.New("not a file that narrows a box")
	ErrWidens  = errors.New("a repository cannot widen its own box")
	errVersion = errors.New("version: 1 is missing")
)

// ParseNarrow reads the file of a repository.
func ParseNarrow(text []byte) (*Narrow, error) {
	n := &Narrow{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(n); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNarrow, err)
	}
	if err := dec.Decode(&Narrow{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one document", ErrNarrow)
	}
	switch {
	case n.Version != 1:
		return nil, fmt.Errorf("%w: %w", ErrNarrow, errVersion)
	case n.Exec != nil && *n.Exec:
		return nil, fmt.Errorf("exec: true: %w", ErrWidens)
	case n.Overlay != nil && !*n.Overlay:
		return nil, fmt.Errorf("overlay: false: %w", ErrWidens)
	}
	for _, p := range n.RW {
		if p == "" || path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../") {
			return nil, fmt.Errorf("rw: %q: %w: a path below the repository is wanted", p, ErrNarrow)
		}
	}
	for _, h := range n.Hide {
		if _, err := path.Match(h, "x"); err != nil || h == "" {
			return nil, fmt.Errorf("hide: %q: %w", h, ErrNarrow)
		}
	}
	return n, nil
}

// Apply narrows a box whose repository is at root. open finds a path below the
// repository without following a link.
func (n *Narrow) Apply(b *Box, root string, size func(string) (int64, error), open func(p string) (Grant, error)) error {
	for _, s := range []struct {
		key, text string
		to        *int64
	}{{"memory", n.Memory, &b.Limits.Memory}, {"output", n.Output, &b.Limits.Output}, {"tmp", n.Tmp, &b.Limits.Tmp}} {
		if s.text == "" {
			continue
		}
		v, err := size(s.text)
		if err != nil || v <= 0 {
			return fmt.Errorf("%s: %q: %w", s.key, s.text, ErrNarrow)
		}
		*s.to = lower(*s.to, v)
	}
	if n.Pids != nil {
		b.Limits.Pids = lower(b.Limits.Pids, *n.Pids)
	}
	if n.CPU != nil {
		b.Limits.CPU = lower(b.Limits.CPU, *n.CPU)
	}
	if n.Time != nil {
		if *n.Time <= 0 { // 0 is no limit
			return fmt.Errorf("time: %s: %w", *n.Time, ErrWidens)
		}
		b.Limits.Time = lower(b.Limits.Time, *n.Time)
	}
	if b.Limits.Pids < 8 || b.Limits.CPU < 0.01 || b.Limits.Memory < 16<<20 {
		return fmt.Errorf("%w: pids is 8 at least, cpu 0.01, memory 16MiB", ErrNarrow)
	}
	b.Exec = b.Exec && n.Exec == nil
	if n.Allow != nil {
		b.Allow = slices.DeleteFunc(b.Allow, func(a string) bool { return !slices.Contains(n.Allow, a) })
	}
	for _, h := range n.Hide {
		b.Hide = append(b.Hide, Pattern{root, h})
	}
	return n.writable(b, root, open)
}

// lower is the lower of two limits, of which 0 is none.
func lower[T int64 | float64 | time.Duration](have, want T) T {
	if have == 0 || want < have {
		return want
	}
	return have
}

// writable leaves of the directories of the repository that can be written to
// those that are listed.
func (n *Narrow) writable(b *Box, root string, open func(p string) (Grant, error)) error {
	if n.RW == nil {
		return nil
	}
	was := slices.Clone(b.Grants)
	for i := range b.Grants {
		if below(root, b.Grants[i].Path) || below(b.Grants[i].Path, root) {
			b.Grants[i].Write = false
		}
	}
	before := Box{Grants: was}
	if b.Before == nil { // a second narrowing opens nothing either
		b.Before = was // what that leaves closed stays so
	}
	for _, p := range n.RW {
		g, err := open(p)
		if err != nil {
			return fmt.Errorf("rw: %s: %w", p, err)
		}
		if in := before.granted(g.Path); in == nil || !in.Write || !below(root, g.Path) {
			continue // it was not granted
		}
		g.Write = true
		if err := b.Grant(g); err != nil {
			return fmt.Errorf("rw: %s: %w", p, err)
		}
	}
	return nil
}

// Pattern hides names below a directory.
type Pattern struct{ Root, Glob string }

// Matches reports whether it hides a path.
func (p Pattern) Matches(full string) bool {
	if !below(p.Root, full) {
		return false
	}
	name := path.Base(full)
	if strings.Contains(p.Glob, "/") {
		name = strings.TrimPrefix(full, strings.TrimSuffix(p.Root, "/")+"/")
	}
	ok, err := path.Match(p.Glob, name)
	return ok && err == nil
}
