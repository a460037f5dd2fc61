package seccomp

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// grant is what a table makes of one call.
type grant struct {
	allow  Set
	errno  uint16 // the answer where it denies by name; 0 is none
	reason string
	// answers are those to some of the arguments that allow leaves out.
	answers []reply
}

// reply is the answer to a call with some arguments.
type reply struct {
	when  Conj
	errno uint16
}

// Grants is a table resolved for one container.
type Grants struct {
	calls map[string]*grant
	log   bool
}

// Wish is what the container has that a table's lines ask for, and what the
// administrator adds.
type Wish struct {
	Capabilities []string
	Native       specs.Arch
	Arches       []specs.Arch // admitted beyond the native one
	Allow, Deny  []string
	Log          bool
}

// Resolve applies the lines that hold for the container.
func (t *Table) Resolve(w Wish) *Grants {
	native, _ := find(w.Native)
	names := []string{native.name}
	for _, a := range w.Arches {
		if sub, ok := find(a); ok {
			names = append(names, sub.name)
		}
	}
	g := &Grants{calls: make(map[string]*grant, 512), log: w.Log}
	backing := make([]grant, 0, 512)
	of := func(name string) *grant {
		c := g.calls[name]
		if c == nil {
			if len(backing) == cap(backing) {
				backing = make([]grant, 0, 512)
			}
			backing = append(backing, grant{})
			c = &backing[len(backing)-1]
			g.calls[name] = c
		}
		return c
	}
	for i := range t.entries {
		e := &t.entries[i]
		if !e.holds(w.Capabilities, names) {
			continue
		}
		for _, call := range e.calls {
			of(call).apply(e)
		}
	}
	for _, call := range w.Allow {
		of(call).allow = Always()
	}
	for _, call := range w.Deny {
		*of(call) = grant{errno: ePERM, reason: "the profile denies it by name"}
		if mux, _ := traits(append([]specs.Arch{w.Native}, w.Arches...)); mux && muxed(call) != "" {
			*of(muxed(call)) = grant{errno: ePERM, reason: "it makes a call that the profile denies by name"}
		}
	}
	return g
}

func (e *entry) holds(caps, arches []string) bool {
	has := func(a string) bool { return slices.Contains(arches, a) }
	switch {
	case e.with != "" && !slices.Contains(caps, e.with),
		e.without != "" && slices.Contains(caps, e.without),
		len(e.on) > 0 && !slices.ContainsFunc(e.on, has),
		slices.Contains(e.off, arches[0]):
		return false
	}
	return true
}

func (c *grant) apply(e *entry) {
	switch e.verb {
	case allow:
		if len(e.when) == 0 {
			c.allow = Always()
		} else if !c.allow.Always() {
			c.allow = append(c.allow, e.when)
		}
	case answer:
		c.answers = append(c.answers, reply{e.when, e.errno})
	case drop:
		c.allow, c.errno, c.reason = nil, e.errno, e.reason
	case deny:
		c.errno, c.reason = e.errno, e.reason
	}
}

// Reason is why the table denies a call; empty where it only does not know it.
func (g *Grants) Reason(call string) string {
	if c := g.calls[call]; c != nil && len(c.allow) == 0 {
		return c.reason
	}
	return ""
}

// Allows is the arguments for which the table admits a call.
func (g *Grants) Allows(call string) Set {
	if c := g.calls[call]; c != nil {
		return c.allow
	}
	return nil
}

// comparable is the part of s that means the same to every architecture.
func (s Set) comparable(narrow bool) Set {
	if !narrow {
		return s
	}
	return slices.DeleteFunc(slices.Clone(s), func(x Conj) bool { return !x.comparable(narrow) })
}
