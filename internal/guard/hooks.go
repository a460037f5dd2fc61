package guard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Hook is the one hook that the host work may add, as the last of its stage.
// Handle is a path of the program that runs now: the hook must be the same
// file.
type Hook struct {
	Path   string
	Args   []string
	Handle string
}

// HookSwap says that the path of a hook was replaced. Handle is a path
// (/proc/self/fd/N) of the program that was examined.
type HookSwap struct{ Before, After, Handle string }

// sameProgram holds the evidence for another path of a hook.
func (c *check) sameProgram(was, is jsontext.Value) bool {
	var before, after string
	if was == nil || is == nil || !read(was, &before) || !read(is, &after) || c.evidence.Identify == nil {
		return false
	}
	return slices.ContainsFunc(c.evidence.Hooks, func(s HookSwap) bool {
		return s.Before == before && s.After == after && c.sameFile(s.Handle, s.After)
	})
}

// createRuntime: hooks may go, and our own may come behind the others.
func createRuntime(c *check, at string, before, after jsontext.Value) {
	lists(func(c *check, at string, was, is []jsontext.Value) {
		if n := len(is); n > 0 && c.evidence.Hook != nil && (len(was) == 0 || !equal(was[len(was)-1], is[n-1])) && c.own(is[n-1]) {
			is = is[:n-1]
		}
		hooksKept(c, at, was, is)
	})(c, at, before, after)
}

// hostHooks is the rule of hooks that run as programs of the host: they may go,
// and their environment may lose variables.
var hostHooks = lists(hooksKept)

// createContainer hooks may also get a search path that is the host's own, so
// that they do not have the container's environment.
var createContainer = lists(func(c *check, at string, was, is []jsontext.Value) {
	plain := make([]jsontext.Value, len(is))
	for i, h := range is {
		plain[i] = withoutPlainPath(h)
	}
	hooksKept(c, at, was, plain)
})

// hostPath has no place that a container writes to.
const hostPath = `["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]`

// withoutPlainPath is a hook without an environment that is hostPath alone. It
// counts as none: no variable of it is the request's.
func withoutPlainPath(raw jsontext.Value) jsontext.Value {
	members, err := split(raw)
	if err != nil || !equal(find(members, "env"), jsontext.Value(hostPath)) {
		return raw
	}
	rest := map[string]jsontext.Value{}
	for _, m := range members {
		if m.name != "env" {
			rest[m.name] = m.value
		}
	}
	out, err := json.Marshal(rest)
	if err != nil {
		return raw
	}
	return out
}

func hooksKept(c *check, at string, was, is []jsontext.Value) {
	next := 0
	for i, v := range is {
		for next < len(was) && !c.sameHook(was[next], v) {
			next++
		}
		if next == len(was) {
			c.refuse(fmt.Sprintf("%s[%d]", at, i), "a hook that was not asked for, or in another order")
			return
		}
		next++
	}
}

// sameHook compares two hooks, of which the second may have less environment, and
// another path of the same program.
func (c *check) sameHook(was, is jsontext.Value) bool {
	before, err1 := split(was)
	after, err2 := split(is)
	if err1 != nil || err2 != nil {
		return false
	}
	for _, m := range slices.Concat(before, after) {
		x, y := find(before, m.name), find(after, m.name)
		kept := equal(x, y)
		switch m.name {
		case "env":
			kept = fewer(x, y)
		case "path":
			kept = kept || c.sameProgram(x, y)
		}
		if !kept {
			return false
		}
	}
	return true
}

// fewer reports whether a list holds nothing but elements of another one, in
// their order.
func fewer(was, is jsontext.Value) bool {
	x, err1 := list(was)
	y, err2 := list(is)
	if err1 != nil || err2 != nil {
		return false
	}
	next := 0
	for _, v := range y {
		for next < len(x) && !equal(x[next], v) {
			next++
		}
		if next == len(x) {
			return false
		}
		next++
	}
	return true
}

// own reports whether a hook is the one of the evidence, with no environment
// and nothing that the guard does not know.
func (c *check) own(raw jsontext.Value) bool {
	var h struct {
		Path    string   `json:"path"`
		Args    []string `json:"args"`
		Timeout *int     `json:"timeout"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	want := c.evidence.Hook
	if d.Decode(&h) != nil || h.Path != want.Path || !slices.Equal(h.Args, want.Args) || c.evidence.Identify == nil {
		return false
	}
	dev, ino, err1 := c.evidence.Identify(h.Path)
	ownDev, ownIno, err2 := c.evidence.Identify(want.Handle)
	return err1 == nil && err2 == nil && dev == ownDev && ino == ownIno
}
