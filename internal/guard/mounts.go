package guard

import (
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

type mount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Options     []string `json:"options"`
}

func (m mount) bind() bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// mounts are made in order, and a later one covers an earlier one. A bind mount
// may be left out, the options of one may be stricter, its source may be the
// same file under another name, and a file system in memory may be added.
var mounts rule = lists(func(c *check, at string, before, after []jsontext.Value) {
	was, ok1 := readMounts(before)
	is, ok2 := readMounts(after)
	if !ok1 || !ok2 {
		c.refuse(at, errShape.Error())
		return
	}
	next := 0
	for i, m := range is {
		field := at + "[" + m.Destination + "]"
		found := c.stem(was, next, m)
		if found < 0 {
			c.added(field, m, after[i])
			continue
		}
		c.dropped(at, was, next, found)
		next = found + 1
		c.mount(field, was[found], m, before[found], after[i])
	}
	c.dropped(at, was, next, len(was))
})

func readMounts(all []jsontext.Value) ([]mount, bool) {
	var ms []mount
	for _, v := range all {
		var m mount
		if v.Kind() != '{' || !read(v, &m) {
			return nil, false
		}
		ms = append(ms, m)
	}
	return ms, true
}

// stem finds the mount that m comes from.
func (c *check) stem(was []mount, next int, m mount) int {
	for i := next; i < len(was); i++ {
		if c.madeOutside(was[i], m) || was[i].Destination == m.Destination && was[i].Type == m.Type && (was[i].Source == m.Source || c.swapped(was[i], m)) {
			return i
		}
	}
	return -1
}

// swapped holds the evidence for another source: both lead to the same file.
func (c *check) swapped(was, is mount) bool {
	for _, s := range c.evidence.Swaps {
		if s.Destination != is.Destination || s.Before != was.Source || s.After != is.Source || c.evidence.Identify == nil || !is.bind() {
			continue
		}
		dev1, ino1, err1 := c.evidence.Identify(s.Handle)
		dev2, ino2, err2 := c.evidence.Identify(s.After)
		if err1 == nil && err2 == nil && dev1 == dev2 && ino1 == ino2 {
			return true
		}
	}
	return false
}

// dropped: what a bind mount brings in may be missing, where nothing but the
// image lies open then. Another mount, or one within another, could cover
// something.
func (c *check) dropped(at string, was []mount, from, to int) {
	for i := from; i < to; i++ {
		m := was[i]
		within := slices.ContainsFunc(was[:i], func(o mount) bool { return lies(m.Destination, o.Destination) })
		if !m.bind() || within {
			c.refuse(at+"["+m.Destination+"]", "left out, or in another order")
		}
	}
}

// lies reports whether a destination is dir, or below it.
func lies(destination, dir string) bool {
	destination, dir = path.Clean("/"+destination), path.Clean("/"+dir)
	return destination == dir || strings.HasPrefix(destination, strings.TrimSuffix(dir, "/")+"/")
}

// added: only an empty file system, where no other is.
func (c *check) added(field string, m mount, raw jsontext.Value) {
	members, err := split(raw)
	if err == nil && len(members) == 4 && c.staged(m) {
		return
	}
	if err != nil || len(members) != 4 {
		c.refuse(field, "added")
		return
	}
	dest := m.Destination
	inside := dest == "/" || path.Clean(dest) != dest || !path.IsAbs(dest)
	for _, kernel := range []string{"/proc", "/sys", "/dev"} {
		inside = inside || dest == kernel || strings.HasPrefix(dest, kernel+"/")
	}
	if inside || m.Type != "tmpfs" || m.Source != "tmpfs" || !slices.Contains(m.Options, "nosuid") || !slices.Contains(m.Options, "nodev") {
		c.refuse(field, "added")
		return
	}
	for _, o := range m.Options {
		switch {
		case o == "nosuid", o == "nodev", o == "noexec", o == "tmpcopyup", o == "mode=1777", strings.HasPrefix(o, "size="):
		default:
			c.refuse(field+".options", "added with an option that is not known to be harmless")
		}
	}
}

// mount compares one mount with what it was. All but source and options is as
// it was.
func (c *check) mount(field string, was, is mount, before, after jsontext.Value) {
	object(func(name string) rule {
		if name == "type" && c.madeOutside(was, is) {
			return func(*check, string, jsontext.Value, jsontext.Value) {}
		}
		switch name {
		case "source":
			return func(*check, string, jsontext.Value, jsontext.Value) {} // see stem
		case "uidMappings", "gidMappings":
			return mountMapping
		case "options":
			return func(c *check, at string, _, _ jsontext.Value) { c.options(at, was, is) }
		}
		return same
	})(c, field, before, after)
}

// options are read in order, the last of two that differ wins (runc,
// libcontainer/specconv).
func (c *check) options(at string, was, is mount) {
	x, y := readOptions(was.Options), readOptions(is.Options)
	if c.madeOutside(was, is) {
		y.others = slices.DeleteFunc(y.others, func(o string) bool { return o == "bind" })
	}
	for _, a := range attributes() {
		for _, prefix := range []string{"", "r"} {
			name := prefix + a
			if x.set[name] && !y.set[name] {
				c.refuse(at, "less strict: "+name)
			}
		}
	}
	for name := range y.cleared {
		if !x.cleared[name] {
			c.refuse(at, "less strict: not "+name)
		}
	}
	// runc leaves the flags of the source's own mount alone for a bind mount
	// without any. With one it sets these and no other.
	if is.bind() && !x.plain && y.plain {
		c.refuse(at, "it would replace the flags of the mount that the source lies on")
	}
	if y.propagation > x.propagation {
		c.refuse(at, "mounts would spread further")
	}
	if is.Type == "proc" && !is.bind() {
		narrowedProc(c, at, &x, &y)
	}
	if !c.users[0].there && c.users[1].there { // what they ask for is the container's mapping
		x.others = slices.DeleteFunc(x.others, func(o string) bool { return o == "idmap" || o == "ridmap" })
	}
	if !slices.Equal(x.others, y.others) {
		c.refuse(at, "changed, and no order says that it is stricter")
	}
}

// options is what a list of options amounts to.
type options struct {
	set, cleared map[string]bool
	plain        bool // a flag that is not recursive is set or cleared
	propagation  int
	others       []string
}

func attributes() []string { return []string{"ro", "nosuid", "nodev", "noexec", "nosymfollow"} }

func readOptions(all []string) options {
	o := options{set: map[string]bool{}, cleared: map[string]bool{}}
	for _, name := range all {
		if rank, ok := propagation(name); ok {
			o.propagation = rank
			continue
		}
		attribute, on, ok := attributeOf(name)
		if !ok {
			o.others = append(o.others, name)
			continue
		}
		if attribute[0] != 'r' || attribute == "ro" {
			o.plain = true
		}
		o.set[attribute], o.cleared[attribute] = on, !on
		if on {
			delete(o.cleared, attribute)
		}
	}
	return o
}

// attributeOf reads "nosuid", "suid", "rnosuid", "rsuid" and their like.
func attributeOf(name string) (attribute string, on, ok bool) {
	for _, a := range attributes() {
		opposite := strings.TrimPrefix(a, "no")
		if a == "ro" {
			opposite = "rw"
		}
		switch name {
		case a:
			return a, true, true
		case opposite:
			return a, false, true
		case "r" + a:
			return "r" + a, true, true
		case "r" + opposite:
			return "r" + a, false, true
		}
	}
	return "", false, false
}
