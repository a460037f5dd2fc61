package guard

import (
	"bytes"
	"encoding/json"
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

// createRuntime: hooks may go, and our own may come behind the others.
func createRuntime(c *check, at string, before, after jsontext.Value) {
	lists(func(c *check, at string, was, is []jsontext.Value) {
		if n := len(is); n > 0 && c.evidence.Hook != nil && (len(was) == 0 || !equal(was[len(was)-1], is[n-1])) && c.own(is[n-1]) {
			is = is[:n-1]
		}
		keptInOrder(c, at, "a hook", was, is)
	})(c, at, before, after)
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
