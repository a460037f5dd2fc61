package guard

import (
	"errors"
	"strings"
	"testing"
)

func TestOwnHook(t *testing.T) {
	const own = `{"path":"/usr/local/bin/hatchdog","args":["hatchdog","egress-hook","/run/hatchdog/r/c"],"timeout":20}`
	const other = `{"path":"/opt/other"}`
	doc := func(hooks ...string) []byte {
		return []byte(`{"hooks":{"createRuntime":[` + strings.Join(hooks, ",") + `]}}`)
	}
	inodes := map[string]uint64{"/usr/local/bin/hatchdog": 7, "/proc/self/exe": 7, "/tmp/hatchdog": 8}
	ev := Evidence{
		Hook: &Hook{Path: "/usr/local/bin/hatchdog", Args: []string{"hatchdog", "egress-hook", "/run/hatchdog/r/c"}, Handle: "/proc/self/exe"},
		Identify: func(path string) (uint64, uint64, error) {
			if inodes[path] == 0 {
				return 0, 0, errors.New("not there")
			}
			return 1, inodes[path], nil
		},
	}
	swapped := ev
	swapped.Identify = func(path string) (uint64, uint64, error) { return 1, uint64(len(path)), nil }
	elsewhere := ev
	elsewhere.Hook = &Hook{Path: "/tmp/hatchdog", Args: ev.Hook.Args, Handle: "/proc/self/exe"}
	for name, c := range map[string]struct {
		before, after []byte
		ev            Evidence
		ok            bool
	}{
		"added":                  {doc(), doc(own), ev, true},
		"behind the others":      {doc(other), doc(other, own), ev, true},
		"no hooks before":        {[]byte(`{}`), doc(own), ev, true},
		"there already":          {doc(other, own), doc(other, own), ev, true},
		"before another":         {doc(other), doc(own, other), ev, false},
		"twice":                  {doc(), doc(own, own), ev, false},
		"without evidence":       {doc(), doc(own), Evidence{}, false},
		"another file":           {doc(), doc(own), swapped, false},
		"a path of another file": {doc(), doc(strings.Replace(own, "/usr/local/bin", "/tmp", 1)), elsewhere, false},
		"another container's":    {doc(), doc(strings.Replace(own, "/r/c", "/r/d", 1)), ev, false},
		"one more argument":      {doc(), doc(strings.Replace(own, `"]`, `","x"]`, 1)), ev, false},
		"an environment":         {doc(), doc(strings.Replace(own, `"timeout"`, `"env":["LD_PRELOAD=/x"],"timeout"`, 1)), ev, false},
		"and another":            {doc(), doc(other, own), ev, false},
		"another stage":          {[]byte(`{}`), []byte(`{"hooks":{"startContainer":[` + own + `]}}`), ev, false},
	} {
		err := Check(c.before, c.after, c.ev)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
