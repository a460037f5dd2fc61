package guard

import "github.com/go-json-experiment/json/jsontext"

// Join says that the path of a joined namespace was replaced. Handle is a path
// (/proc/self/fd/N) of the namespace that was examined.
type Join struct{ Type, Before, After, Handle string }

type namespace struct {
	Type string `json:"type"`
	Path string `json:"path"`
}

// held holds the evidence for another path: both lead to the same namespace.
func (c *check) held(was, is namespace) bool {
	for _, j := range c.evidence.Joins {
		if j.Type == was.Type && j.Before == was.Path && j.After == is.Path && c.evidence.Identify != nil {
			return c.sameFile(j.Handle, j.After)
		}
	}
	return false
}

// beforeHeld is the path that a namespace had before it was held.
func (c *check) beforeHeld(ns namespace) string {
	for _, j := range c.evidence.Joins {
		if c.held(namespace{j.Type, j.Before}, ns) {
			return j.Before
		}
	}
	return ns.Path
}

// namespaces: without an entry the host's is shared, with a path another's,
// without one it is new. A step may go in this direction only.
var namespaces rule = lists(func(c *check, at string, was, is []jsontext.Value) {
	now := map[string]namespace{}
	for _, v := range is {
		var ns namespace
		if !read(v, &ns) || ns.Type == "" {
			c.refuse(at, errShape.Error())
			return
		}
		if _, twice := now[ns.Type]; twice {
			c.refuse(at+"["+ns.Type+"]", "given twice")
			return
		}
		now[ns.Type] = ns
	}
	for _, v := range was {
		var ns namespace
		if !read(v, &ns) {
			c.refuse(at, errShape.Error())
			return
		}
		n, kept := now[ns.Type]
		if !kept || n.Path != "" && n.Path != ns.Path && !c.held(ns, n) {
			c.refuse(at+"["+ns.Type+"]", "shared with the host or another")
		}
		delete(now, ns.Type)
	}
	for _, ns := range now {
		if ns.Path != "" && !c.narrowed(ns) {
			c.refuse(at+"["+ns.Type+"]", "joins what was not asked for")
		}
	}
})
