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

func TestEnvironmentOfHooks(t *testing.T) {
	const path = `"PATH=/usr/sbin:/usr/bin:/sbin:/bin"`
	doc := func(stage, env string) []byte {
		if env != "" {
			env = `,"env":` + env
		}
		return []byte(`{"hooks":{"` + stage + `":[{"path":"/opt/a"` + env + `}]}}`)
	}
	for name, c := range map[string]struct {
		stage, before, after string
		ok                   bool
	}{
		"fewer":                      {"createRuntime", `["A=1","B=2","C=3"]`, `["A=1","C=3"]`, true},
		"none":                       {"prestart", `["A=1"]`, ``, true},
		"one more":                   {"poststop", `["A=1"]`, `["A=1","B=2"]`, false},
		"another value":              {"poststart", `["A=1"]`, `["A=2"]`, false},
		"another order":              {"createRuntime", `["A=1","B=2"]`, `["B=2","A=1"]`, false},
		"the host's path":            {"createContainer", ``, "[" + path + "]", true},
		"the host's path for others": {"createContainer", `["PATH=/x","A=1"]`, "[" + path + "]", true},
		"the host's path and more":   {"createContainer", `["A=1"]`, "[" + path + `,"A=1"]`, false},
		"another path":               {"createContainer", ``, `["PATH=/tmp"]`, false},
		"the host's path elsewhere":  {"createRuntime", ``, "[" + path + "]", false},
		"inside":                     {"startContainer", `["A=1"]`, ``, false},
	} {
		if err := Check(doc(c.stage, c.before), doc(c.stage, c.after), Evidence{}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Check([]byte(`{"hooks":{"createContainer":[{"path":"/opt/a"}]}}`), []byte(`{"hooks":{"createContainer":[{"path":"/opt/b","env":[`+path+`]}]}}`), Evidence{}) == nil {
		t.Error("another file was accepted")
	}
}

// Another path of a hook is taken where it leads to the program that was examined.
func TestHeldHooks(t *testing.T) {
	inodes := map[string]uint64{"/handle": 7, "/mnt/hook-0": 7, "/mnt/other": 8}
	ev := Evidence{
		Hooks: []HookSwap{{"/proc/9/exe", "/mnt/hook-0", "/handle"}, {"/proc/9/exe", "/mnt/other", "/handle"}},
		Identify: func(path string) (uint64, uint64, error) {
			if inodes[path] == 0 {
				return 0, 0, errors.New("not there")
			}
			return 1, inodes[path], nil
		},
	}
	doc := func(stage, path, args string) []byte {
		return []byte(`{"hooks":{"` + stage + `":[{"path":"` + path + `","args":["` + args + `"]}]}}`)
	}
	for name, c := range map[string]struct {
		before, after []byte
		ev            Evidence
		ok            bool
	}{
		"held":              {doc("prestart", "/proc/9/exe", "a"), doc("prestart", "/mnt/hook-0", "a"), ev, true},
		"in another stage":  {doc("createRuntime", "/proc/9/exe", "a"), doc("createRuntime", "/mnt/hook-0", "a"), ev, true},
		"without evidence":  {doc("prestart", "/proc/9/exe", "a"), doc("prestart", "/mnt/hook-0", "a"), Evidence{}, false},
		"another program":   {doc("prestart", "/proc/9/exe", "a"), doc("prestart", "/mnt/other", "a"), ev, false},
		"for another path":  {doc("prestart", "/proc/8/exe", "a"), doc("prestart", "/mnt/hook-0", "a"), ev, false},
		"other arguments":   {doc("prestart", "/proc/9/exe", "a"), doc("prestart", "/mnt/hook-0", "b"), ev, false},
		"of the container":  {doc("startContainer", "/proc/9/exe", "a"), doc("startContainer", "/mnt/hook-0", "a"), ev, false},
		"and one more hook": {[]byte(`{}`), doc("prestart", "/mnt/hook-0", "a"), ev, false},
	} {
		if err := Check(c.before, c.after, c.ev); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
