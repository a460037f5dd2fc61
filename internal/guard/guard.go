// Package guard is the independent proof that a document is not looser than the
// one that the engine wrote.
//
// It shares no code with the controls, and is a function of its arguments.
//
// Guarantees: Check passes a document only if everything in it is as it was,
// or stricter by the order that the OCI runtime spec and runc give the field.
// A member that the guard does not know must be as it was, and so must one
// that it knows without an order. The order of what runc reads in order
// (mounts, device rules, hooks) is kept.
// Does not cover: whether the document is strict enough, which the policy decides;
// the low-level runtime's mistakes.
// Requires: documents that were decoded strictly (no duplicate keys, none
// that differ by case alone).
// Spec fields touched: none; it judges all of them.
package guard

import (
	"bytes"
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Violation is a field that could be looser than it was. It holds no value.
type Violation struct {
	Field  string
	Reason string
}

func (v *Violation) Error() string { return v.Field + ": " + v.Reason }

// Swap says that the source of the mount at Destination was replaced. Handle
// is a path (/proc/self/fd/N) of the file that was examined.
type Swap struct{ Destination, Before, After, Handle string }

// Evidence is what the host work claims, with the means to check it.
type Evidence struct {
	Swaps   []Swap
	Joins   []Join
	Hook    *Hook // nil is none
	Hooks   []HookSwap
	Root    *RootSwap
	Devices []Device
	Sysfs   []Sysfs
	// Bundle is what a relative root.path is relative to.
	Bundle string
	// Identify reads device and inode of what a path leads to.
	Identify func(path string) (dev, ino uint64, err error)
	// Layers reads which layers the overlay mount at a path has; none where it
	// is no overlay.
	Layers func(path string) ([]string, error)
	// Forbids reads what the mount at a path does not let be done, a bit for each
	// thing: to write, to start programs, to open devices (statfs(2), ST_RDONLY and
	// its like).
	Forbids func(path string) (uint64, error)
	// Node reads type and numbers of a device node.
	Node func(path string) (typ string, major, minor int64, err error)
	// FSType names the file system of what a path leads to.
	FSType func(path string) (string, error)
	// Mapping reads the first host id and the size of each line of the mapping
	// of a user namespace.
	Mapping func(path string) ([][2]uint32, error)
	// Foreign are the first id and the size of the ranges that no mapping of
	// this container may hold; nil where nobody judges it: without root the
	// kernel does.
	Foreign [][2]uint32
	// Enforced says whether the kernel enforces an AppArmor profile.
	Enforced func(profile string) bool
}

// rule decides whether the step from before to after is not looser. A missing
// member is nil. It is asked only where the two differ.
type rule func(c *check, at string, before, after jsontext.Value)

// check is one comparison under way.
type check struct {
	evidence   Evidence
	users      [2]userNamespace // before and after
	devices    [2][]device      // linux.devices, before and after
	domains    [2]string        // linux.sysctl[kernel.domainname], before and after
	update     bool             // a missing limit leaves what the container has
	exec       bool             // a missing profile is the container's
	violations []error
}

// Check compares two specs (config.json).
func Check(before, after []byte, ev Evidence) error {
	c := &check{evidence: ev}
	c.look(before, after)
	c.ownMappings(after)
	return c.run(spec, before, after)
}

// CheckProcess compares two processes (the file of exec).
func CheckProcess(before, after []byte) error {
	return (&check{exec: true}).run(process, before, after)
}

// CheckResources compares two sets of limits (update).
func CheckResources(before, after []byte) error {
	return (&check{update: true}).run(resources, before, after)
}

func (c *check) run(members func(string) rule, before, after []byte) error {
	object(members)(c, "", before, after)
	return errors.Join(c.violations...)
}

func (c *check) refuse(at, reason string) {
	c.violations = append(c.violations, &Violation{at, reason})
}

// same is the rule of what has no order: it may not change.
func same(c *check, at string, before, after jsontext.Value) {
	if !equal(before, after) {
		c.refuse(at, "changed, and no order says that it is stricter")
	}
}

// equal compares values by content: white space, the order of members and the
// spelling of strings do not count, the spelling of numbers does.
func equal(a, b jsontext.Value) bool {
	switch {
	case a == nil || b == nil:
		return a == nil && b == nil
	case bytes.Equal(a, b):
		return true
	case a.Kind() != b.Kind():
		return false
	}
	switch a.Kind() {
	case '{':
		x, err1 := split(a)
		y, err2 := split(b)
		if err1 != nil || err2 != nil || len(x) != len(y) {
			return false
		}
		return !slices.ContainsFunc(x, func(m member) bool { return !equal(m.value, find(y, m.name)) })
	case '[':
		x, err1 := list(a)
		y, err2 := list(b)
		return err1 == nil && err2 == nil && slices.EqualFunc(x, y, equal)
	case '"':
		var x, y string
		return read(a, &x) && read(b, &y) && x == y
	}
	return false
}

// object compares member by member. A missing object is an empty one.
func object(members func(string) rule) rule {
	return func(c *check, at string, before, after jsontext.Value) {
		was, err := split(before)
		if err != nil {
			c.refuse(at, err.Error())
			return
		}
		is, err := split(after)
		if err != nil {
			c.refuse(at, err.Error())
			return
		}
		for _, m := range was {
			c.member(members, at, m.name, m.value, find(is, m.name))
		}
		for _, m := range is {
			if find(was, m.name) == nil {
				c.member(members, at, m.name, nil, m.value)
			}
		}
	}
}

func (c *check) member(members func(string) rule, at, name string, before, after jsontext.Value) {
	if bytes.Equal(before, after) && before != nil {
		return
	}
	if at != "" {
		at += "."
	}
	r := members(name)
	if r == nil {
		r = same // nobody has classified it
	}
	r(c, at+name, before, after)
}

var errShape = errors.New("not of the shape that the OCI spec gives it")

type member struct {
	name  string
	value jsontext.Value
}

// split takes an object apart. nil and null are an empty one.
func split(v jsontext.Value) ([]member, error) {
	if v == nil || v.Kind() == 'n' {
		return nil, nil
	}
	if v.Kind() != '{' {
		return nil, errShape
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(v)) // a Buffer is read in place
	if _, err := d.ReadToken(); err != nil {
		return nil, errShape
	}
	var all []member
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, errShape
		}
		name := t.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, errShape
		}
		all = append(all, member{name, inPlace(v, d, value)})
	}
	return all, nil
}

// inPlace is the value that d has just read, as a part of v: what d returns
// lasts only until it reads on.
func inPlace(v jsontext.Value, d *jsontext.Decoder, value jsontext.Value) jsontext.Value {
	end := int(d.InputOffset())
	return v[end-len(value) : end : end]
}

func find(all []member, name string) jsontext.Value {
	for _, m := range all {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// list takes an array apart. nil and null are an empty one.
func list(v jsontext.Value) ([]jsontext.Value, error) {
	if v == nil || v.Kind() == 'n' {
		return nil, nil
	}
	if v.Kind() != '[' {
		return nil, errShape
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	if _, err := d.ReadToken(); err != nil {
		return nil, errShape
	}
	var all []jsontext.Value
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, errShape
		}
		all = append(all, inPlace(v, d, value))
	}
	return all, nil
}
