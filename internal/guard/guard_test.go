package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Every field of the spec library has a rule: a new one makes this fail until
// somebody says what it means.
func TestEveryFieldIsClassified(t *testing.T) {
	// Where a rule reads a whole value, the type that it was written for.
	for name, c := range map[string]struct {
		typ     reflect.Type
		members func(string) rule
	}{
		"spec":         {reflect.TypeFor[specs.Spec](), spec},
		"process":      {reflect.TypeFor[specs.Process](), process},
		"user":         {reflect.TypeFor[specs.User](), user},
		"root":         {reflect.TypeFor[specs.Root](), root},
		"hooks":        {reflect.TypeFor[specs.Hooks](), hooks},
		"linux":        {reflect.TypeFor[specs.Linux](), linux},
		"resources":    {reflect.TypeFor[specs.LinuxResources](), resources},
		"memory":       {reflect.TypeFor[specs.LinuxMemory](), memoryMember},
		"pids":         {reflect.TypeFor[specs.LinuxPids](), pids},
		"cpu":          {reflect.TypeFor[specs.LinuxCPU](), func(n string) rule { return orShare(n) }},
		"capabilities": {reflect.TypeFor[specs.LinuxCapabilities](), only("bounding effective inheritable permitted ambient")},
		"mount":        {reflect.TypeFor[specs.Mount](), only("destination type source options uidMappings gidMappings")},
		"rlimit":       {reflect.TypeFor[specs.POSIXRlimit](), only("type hard soft")},
		"namespace":    {reflect.TypeFor[specs.LinuxNamespace](), only("type path")},
		"seccomp":      {reflect.TypeFor[specs.LinuxSeccomp](), tagged(reflect.TypeFor[filter]())},
		"seccomp rule": {reflect.TypeFor[specs.LinuxSyscall](), tagged(reflect.TypeFor[call]())},
		"seccomp arg":  {reflect.TypeFor[specs.LinuxSeccompArg](), tagged(reflect.TypeFor[test]())},
		"device rule":  {reflect.TypeFor[specs.LinuxDeviceCgroup](), only("allow type major minor access")},
	} {
		for i := range c.typ.NumField() {
			tag, _, _ := strings.Cut(c.typ.Field(i).Tag.Get("json"), ",")
			if tag == "" || tag == "-" {
				t.Errorf("%s: field %s has no name", name, c.typ.Field(i).Name)
			} else if c.members(tag) == nil {
				t.Errorf("%s.%s is not classified", name, tag)
			}
		}
	}
}

func orShare(name string) rule {
	if name == "quota" || name == "period" {
		return same
	}
	return cpuMember(name)
}

// tagged are the members of a type that a rule decodes into.
func tagged(typ reflect.Type) func(string) rule {
	return func(name string) rule {
		for i := range typ.NumField() {
			if typ.Field(i).Tag.Get("json") == name {
				return same
			}
		}
		return nil
	}
}

func only(names string) func(string) rule {
	return func(name string) rule {
		if slices.Contains(strings.Fields(names), name) {
			return same
		}
		return nil
	}
}

func realSpecs(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../integration/testdata/specs/*.json")
	if err != nil || len(files) < 50 {
		t.Fatal("captured specs are missing", err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = raw
	}
	return all
}

type object_ = map[string]any

func decode(t testing.TB, raw []byte) object_ {
	t.Helper()
	var v object_
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func sub(v object_, path ...string) object_ {
	for _, p := range path {
		next, ok := v[p].(object_)
		if !ok {
			next = object_{}
			v[p] = next
		}
		v = next
	}
	return v
}

func add(v object_, key string, e any) { l, _ := v[key].([]any); v[key] = append(l, e) }

// steps are single edits: looser ones, with the field that must be named, and
// stricter ones.
type step struct {
	name  string
	field string // "" is stricter
	edit  func(s object_) bool
}

func did(f func(object_)) func(object_) bool { return func(s object_) bool { f(s); return true } }

func firstMount(s object_, dest string) object_ {
	for _, m := range s["mounts"].([]any) {
		if m.(object_)["destination"] == dest {
			return m.(object_)
		}
	}
	return nil
}

// withoutTime adds a namespace to a spec that has none of time, as newer engines'
// have.
func withoutTime(namespace object_) func(object_) bool {
	return func(s object_) bool {
		list, _ := sub(s, "linux")["namespaces"].([]any)
		for _, n := range list {
			if n.(object_)["type"] == "time" {
				return false
			}
		}
		add(sub(s, "linux"), "namespaces", namespace)
		return true
	}
}

func steps() []step {
	return []step{
		{"a capability more", "process.capabilities.bounding", did(func(s object_) { add(sub(s, "process", "capabilities"), "bounding", "CAP_BPF2") })},
		{"an ambient capability", "process.capabilities.ambient", did(func(s object_) { add(sub(s, "process", "capabilities"), "ambient", "CAP_SYS_ADMIN") })},
		{"no bounding set", "", did(func(s object_) { sub(s, "process", "capabilities")["bounding"] = []any{} })},
		{"nnp on", "", did(func(s object_) { sub(s, "process")["noNewPrivileges"] = true })},
		{"nnp off", "process.noNewPrivileges", func(s object_) bool {
			p := sub(s, "process")
			had, _ := p["noNewPrivileges"].(bool)
			p["noNewPrivileges"] = false
			return had
		}},
		{"other args", "process.args", did(func(s object_) { sub(s, "process")["args"] = []any{"/bin/x"} })},
		{"other env", "process.env", did(func(s object_) { add(sub(s, "process"), "env", "LD_PRELOAD=/x") })},
		{"root user", "process.user.uid", func(s object_) bool {
			u := sub(s, "process", "user")
			was, _ := u["uid"].(float64)
			u["uid"] = 0
			return was != 0
		}},
		{"a group", "process.user.additionalGids", did(func(s object_) { add(sub(s, "process", "user"), "additionalGids", 999) })},
		{"umask 0", "process.user.umask", did(func(s object_) { sub(s, "process", "user")["umask"] = 0 })},
		{"umask 077", "", func(s object_) bool {
			_, had := sub(s, "process", "user")["umask"]
			sub(s, "process", "user")["umask"] = 0o077
			return !had
		}},
		{"score", "process.oomScoreAdj", did(func(s object_) { sub(s, "process")["oomScoreAdj"] = -1000 })},
		{"real time", "process.scheduler", did(func(s object_) { sub(s, "process")["scheduler"] = object_{"policy": "SCHED_FIFO"} })},
		{"core limit", "", func(s object_) bool {
			if sub(s, "process")["rlimits"] != nil {
				return false
			}
			sub(s, "process")["rlimits"] = []any{object_{"type": "RLIMIT_CORE", "hard": 0, "soft": 0}}
			return true
		}},
		{"limits gone", "process.rlimits", func(s object_) bool {
			l, _ := sub(s, "process")["rlimits"].([]any)
			delete(sub(s, "process"), "rlimits")
			return len(l) > 0
		}},
		{"read-only root", "", did(func(s object_) { sub(s, "root")["readonly"] = true })},
		{"other root", "root.path", did(func(s object_) { sub(s, "root")["path"] = "/" })},
		{"a bind mount", "mounts[/x]", did(func(s object_) {
			add(s, "mounts", object_{"destination": "/x", "type": "bind", "source": "/", "options": []any{"rbind"}})
		})},
		{"a tmpfs", "", did(func(s object_) {
			add(s, "mounts", object_{"destination": "/var/tmp", "type": "tmpfs", "source": "tmpfs", "options": []any{"nosuid", "nodev", "tmpcopyup"}})
		})},
		{"a tmpfs with suid", "mounts[/var/tmp]", did(func(s object_) {
			add(s, "mounts", object_{"destination": "/var/tmp", "type": "tmpfs", "source": "tmpfs", "options": []any{"nodev"}})
		})},
		{"a tmpfs over proc", "mounts[/proc/sys]", did(func(s object_) {
			add(s, "mounts", object_{"destination": "/proc/sys", "type": "tmpfs", "source": "tmpfs", "options": []any{"nosuid", "nodev"}})
		})},
		{"mounts turned round", "mounts", did(func(s object_) { slices.Reverse(s["mounts"].([]any)) })},
		{"proc left out", "mounts[/proc]", did(func(s object_) {
			s["mounts"] = slices.DeleteFunc(s["mounts"].([]any), func(m any) bool { return m.(object_)["destination"] == "/proc" })
		})},
		{"sys writable", "mounts[/sys].options", func(s object_) bool {
			m := firstMount(s, "/sys")
			if m == nil || !slices.Contains(m["options"].([]any), any("ro")) {
				return false
			}
			add(m, "options", "rw")
			return true
		}},
		{"sys read-only", "", func(s object_) bool {
			m := firstMount(s, "/sys")
			if m == nil {
				return false
			}
			m["options"] = append(slices.DeleteFunc(m["options"].([]any), func(o any) bool { return o == "rw" }), "ro")
			return true
		}},
		{"proc's data", "mounts[/proc].options", did(func(s object_) { add(firstMount(s, "/proc"), "options", "gid=0") })},
		{"proc's source", "mounts[/proc]", did(func(s object_) { firstMount(s, "/proc")["source"] = "/x" })},
		{"a volume nosuid", "", func(s object_) bool {
			m := firstMount(s, "/data")
			if m == nil {
				return false
			}
			add(m, "options", "rnosuid")
			return true
		}},
		{"a volume's own flags replaced", "mounts[/data].options", func(s object_) bool {
			m := firstMount(s, "/data")
			if m == nil {
				return false
			}
			add(m, "options", "nosuid")
			return true
		}},
		{"a volume left out", "", func(s object_) bool {
			n := len(s["mounts"].([]any))
			s["mounts"] = slices.DeleteFunc(s["mounts"].([]any), func(m any) bool { return m.(object_)["destination"] == "/data" })
			return n != len(s["mounts"].([]any))
		}},
		{"another volume", "mounts[/data]", func(s object_) bool {
			m := firstMount(s, "/data")
			if m == nil {
				return false
			}
			m["source"] = "/"
			return true
		}},
		{"no namespace", "linux.namespaces", did(func(s object_) {
			l := sub(s, "linux")["namespaces"].([]any)
			sub(s, "linux")["namespaces"] = l[1:]
		})},
		{"another's namespace", "linux.namespaces", did(func(s object_) {
			sub(s, "linux")["namespaces"].([]any)[0].(object_)["path"] = "/proc/1/ns/x"
		})},
		{"a time namespace", "", withoutTime(object_{"type": "time"})},
		{"a joined one", "linux.namespaces[time]", withoutTime(object_{"type": "time", "path": "/x"})},
		{"masked path open", "linux.maskedPaths", func(s object_) bool {
			l, _ := sub(s, "linux")["maskedPaths"].([]any)
			if len(l) == 0 {
				return false
			}
			sub(s, "linux")["maskedPaths"] = l[1:]
			return true
		}},
		{"masked path more", "", did(func(s object_) { add(sub(s, "linux"), "maskedPaths", "/proc/more") })},
		{"a device", "linux.devices[0]", did(func(s object_) {
			l, _ := sub(s, "linux")["devices"].([]any)
			sub(s, "linux")["devices"] = append([]any{object_{"type": "b", "path": "/dev/sdz", "major": 8, "minor": 250}}, l...)
		})},
		{"all devices", "linux.resources.devices", func(s object_) bool {
			l, _ := sub(s, "linux", "resources")["devices"].([]any)
			privileged := slices.ContainsFunc(l, func(r any) bool {
				return r.(object_)["allow"] == true && r.(object_)["major"] == nil && r.(object_)["type"] == nil
			})
			add(sub(s, "linux", "resources"), "devices", object_{"allow": true, "access": "rwm"})
			return !privileged
		}},
		{"no devices", "", did(func(s object_) {
			add(sub(s, "linux", "resources"), "devices", object_{"allow": false, "access": "rwm"})
		})},
		{"pids", "", func(s object_) bool {
			_, had := sub(s, "linux", "resources")["pids"]
			sub(s, "linux", "resources", "pids")["limit"] = 1
			return !had
		}},
		{"pids raised", "linux.resources.pids.limit", func(s object_) bool {
			n, _ := sub(s, "linux", "resources", "pids")["limit"].(float64)
			sub(s, "linux", "resources", "pids")["limit"] = n + 1
			return n > 0
		}},
		{"memory unlimited", "linux.resources.memory.limit", func(s object_) bool {
			n, _ := sub(s, "linux", "resources", "memory")["limit"].(float64)
			sub(s, "linux", "resources", "memory")["limit"] = -1
			return n > 0
		}},
		{"oom killer off", "linux.resources.memory.disableOOMKiller", func(s object_) bool {
			had := sub(s, "linux", "resources", "memory")["disableOOMKiller"] == true
			sub(s, "linux", "resources", "memory")["disableOOMKiller"] = true
			return !had
		}},
		{"cpu", "", func(s object_) bool {
			cpu := sub(s, "linux", "resources", "cpu")
			if q, _ := cpu["quota"].(float64); q > 0 {
				return false
			}
			cpu["quota"], cpu["period"] = 1000, 100000
			return true
		}},
		{"cpu shares", "linux.resources.cpu.shares", did(func(s object_) { sub(s, "linux", "resources", "cpu")["shares"] = 99999 })},
		{"a unified key", "linux.resources.unified.io.max", did(func(s object_) { sub(s, "linux", "resources", "unified")["io.max"] = "max" })},
		{"a sysctl", "linux.sysctl.kernel.x", did(func(s object_) { sub(s, "linux", "sysctl")["kernel.x"] = "1" })},
		{"no seccomp", "linux.seccomp", func(s object_) bool {
			_, had := sub(s, "linux")["seccomp"]
			delete(sub(s, "linux"), "seccomp")
			return had
		}},
		{"cgroup", "linux.cgroupsPath", did(func(s object_) { sub(s, "linux")["cgroupsPath"] = "/" })},
		{"a hook", "hooks.createRuntime[0]", did(func(s object_) { add(sub(s, "hooks"), "createRuntime", object_{"path": "/bin/x"}) })},
		{"an annotation", "annotations.x", did(func(s object_) { sub(s, "annotations")["x"] = "y" })},
		{"id mappings", "linux.uidMappings", did(func(s object_) {
			sub(s, "linux")["uidMappings"] = []any{object_{"containerID": 0, "hostID": 0, "size": 1}}
		})},
		{"shared root", "linux.rootfsPropagation", func(s object_) bool {
			was, _ := sub(s, "linux")["rootfsPropagation"].(string)
			sub(s, "linux")["rootfsPropagation"] = "shared"
			return was != "shared"
		}},
		{"an unknown field", "newField", did(func(s object_) { s["newField"] = 1 })},
		{"an unknown field below", "linux.newField", did(func(s object_) { sub(s, "linux")["newField"] = object_{} })},
		{"a field in other case", "Process", did(func(s object_) { s["Process"] = object_{"noNewPrivileges": false} })},
	}
}

// Each step is made from the first specs that have what it needs and from
// every eighth of the others, which are much alike: all of them are used.
func TestStepsFromRealSpecs(t *testing.T) {
	const first, every = 3, 8
	all := realSpecs(t)
	used, spread := map[string]int{}, map[string]bool{}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		raw := all[name]
		if strings.Contains(name, "exec") {
			if err := CheckProcess(raw, raw); err != nil {
				t.Errorf("%s with itself: %v", name, err)
			}
			continue
		}
		parsed := decode(t, raw)
		same := encode(t, parsed)
		if err := Check(raw, same, Evidence{}); err != nil {
			t.Errorf("%s with itself: %v", name, err)
		}
		for j, st := range steps() {
			s := clone(parsed).(object_)
			if !st.edit(s) {
				continue
			}
			used[st.name]++
			if used[st.name] > first && (i+j)%every != 0 {
				continue
			}
			spread[name] = true
			after := encode(t, s)
			err := Check(raw, after, Evidence{})
			switch {
			case st.field == "" && err != nil:
				t.Errorf("%s: %s is stricter: %v", name, st.name, err)
			case st.field != "" && err == nil:
				t.Errorf("%s: %s went through", name, st.name)
			case st.field != "" && !names(err, st.field):
				t.Errorf("%s: %s: %q is not named: %v", name, st.name, st.field, err)
			case st.field == "" && string(after) != string(same) && Check(after, raw, Evidence{}) == nil && st.name != "no devices" && st.name != "sys read-only" && st.name != "read-only root" && st.name != "nnp on" && st.name != "a volume left out" && st.name != "no bounding set":
				t.Errorf("%s: %s: and back again went through", name, st.name)
			}
		}
	}
	for _, st := range steps() {
		if used[st.name] == 0 {
			t.Errorf("no captured spec has what %q needs", st.name)
		}
	}
	if len(spread) < 50 {
		t.Errorf("only %d specs were used", len(spread))
	}
}

// clone copies what encoding/json made.
func clone(v any) any {
	switch v := v.(type) {
	case object_:
		c := make(object_, len(v))
		for k, e := range v {
			c[k] = clone(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = clone(e)
		}
		return c
	}
	return v
}

func names(err error, field string) bool {
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var v *Violation
		if errors.As(e, &v) && strings.HasPrefix(v.Field, field) {
			return true
		}
	}
	return false
}

// Any leaf of a real spec, changed to another value: refused, unless the field
// has an order and the value went down it. Of a list the first elements and the
// last stand for all: the names of 300 system calls are all alike.
func TestAnyLeaf(t *testing.T) {
	raw := realSpecs(t)["docker-limits.json"]
	var walk func(v any, path []string, visit func(path []string))
	walk = func(v any, path []string, visit func([]string)) {
		switch v := v.(type) {
		case object_:
			for k, e := range v {
				walk(e, append(path[:len(path):len(path)], k), visit)
			}
		case []any:
			for i, e := range v {
				if i > 3 && i != len(v)-1 {
					continue
				}
				walk(e, append(path[:len(path):len(path)], string(rune('0'+i%10))+"#"+strings.Repeat("x", i)), visit)
			}
		default:
			visit(path)
		}
	}
	leaves := 0
	parsed := decode(t, raw)
	walk(parsed, nil, func(path []string) {
		leaves++
		name := strings.Join(path, ".")
		if strings.HasPrefix(name, "linux.resources.devices") || name == "process.oomScoreAdj" {
			return // what set1 makes of these may be stricter; they have tests of their own
		}
		s := clone(parsed).(object_)
		var at any = s
		if len(path) == 6 && path[1] == "seccomp" && step1(sub(s, "linux", "seccomp")["syscalls"], path[3]).(object_)["action"] == "SCMP_ACT_ERRNO" {
			return // another call is denied instead, and this one by default
		}
		for _, p := range path[:len(path)-1] {
			at = step1(at, p)
		}
		set1(at, path[len(path)-1])
		if err := Check(raw, encode(t, s), Evidence{}); err == nil {
			t.Errorf("%s changed, and nobody saw it", name)
		}
	})
	if leaves < 130 {
		t.Errorf("only %d leaves", leaves)
	}
}

func step1(at any, key string) any {
	if m, ok := at.(object_); ok {
		return m[key]
	}
	return at.([]any)[strings.Count(key, "x")]
}

// set1 puts something looser than any value, or unlike it, in its place.
func set1(at any, key string) {
	other := func(v any) any {
		switch v := v.(type) {
		case bool:
			return !v
		case float64:
			return v + 1e9
		}
		return "something/else"
	}
	if m, ok := at.(object_); ok {
		m[key] = other(m[key])
		return
	}
	l := at.([]any)
	i := strings.Count(key, "x")
	l[i] = other(l[i])
}

func TestSwapNeedsTheSameFile(t *testing.T) {
	spec := func(source string) []byte {
		return []byte(`{"mounts":[{"destination":"/d","type":"bind","source":"` + source + `","options":["rbind"]}]}`)
	}
	ids := map[string]uint64{"/proc/self/fd/7": 1, "/pin/0": 1, "/pin/1": 2}
	ev := Evidence{
		Swaps: []Swap{{"/d", "/a", "/pin/0", "/proc/self/fd/7"}, {"/d", "/a", "/pin/1", "/proc/self/fd/7"}},
		Identify: func(p string) (uint64, uint64, error) {
			if ids[p] == 0 {
				return 0, 0, os.ErrNotExist
			}
			return 1, ids[p], nil
		},
	}
	if err := Check(spec("/a"), spec("/pin/0"), ev); err != nil {
		t.Error(err)
	}
	for _, to := range []string{"/pin/1", "/pin/2", "/b"} {
		if Check(spec("/a"), spec(to), ev) == nil {
			t.Errorf("%s went through", to)
		}
	}
	if Check(spec("/a"), spec("/pin/0"), Evidence{}) == nil {
		t.Error("without evidence")
	}
}

func TestProcess(t *testing.T) {
	const base = `{"args":["x"],"cwd":"/","capabilities":{"bounding":["CAP_KILL"]}}`
	for after, ok := range map[string]bool{
		base: true,

		`{"args":["x"],"cwd":"/","capabilities":{}}`: true,
		`{"args":["x"],"cwd":"/"}`:                   false,

		`{"args":["x"],"cwd":"/","capabilities":{"bounding":["CAP_KILL","CAP_SYS_ADMIN"]}}`:      false,
		`{"args":["x"],"cwd":"/","capabilities":{"bounding":[]},"apparmorProfile":"unconfined"}`: false,
		`{"args":["x"],"cwd":"/","capabilities":{},"noNewPrivileges":true}`:                      true,
		`[]`: false,
		`{`:  false,
	} {
		if err := CheckProcess([]byte(base), []byte(after)); (err == nil) != ok {
			t.Errorf("%s: %v", after, err)
		}
	}
}

func TestResources(t *testing.T) {
	for _, c := range []struct {
		before, after string
		ok            bool
	}{
		{`{"memory":{"limit":10}}`, `{"memory":{"limit":5}}`, true},
		{`{"memory":{"limit":10}}`, `{"memory":{"limit":5,"swap":5}}`, true},
		{`{"memory":{"limit":10}}`, `{"memory":{"limit":11}}`, false},
		{`{"memory":{"limit":10}}`, `{"memory":{"limit":5,"swap":-1}}`, false},
		{`{}`, `{"memory":{"limit":5}}`, false},
		{`{"memory":{"limit":10}}`, `{}`, false},
		{`{"pids":{"limit":-1}}`, `{"pids":{"limit":5}}`, true},
		{`{"pids":{"limit":5}}`, `{"pids":{"limit":0}}`, false},
		{`{"memory":{"limit":0}}`, `{"memory":{}}`, true},
		{`{"cpu":{"quota":200000,"period":100000}}`, `{"cpu":{"quota":100000,"period":100000}}`, true},
		{`{"cpu":{"quota":200000,"period":100000}}`, `{"cpu":{"quota":200000,"period":50000}}`, false},
		{`{"cpu":{"quota":-1}}`, `{"cpu":{"quota":100000,"period":100000}}`, true},
		{`{"cpu":{"quota":1,"period":0}}`, `{"cpu":{"quota":1,"period":100000}}`, false},
		{`{"cpu":{"quota":1,"period":0}}`, `{"cpu":{"quota":2,"period":100000}}`, false},
		{`{"cpu":{"quota":5,"period":10}}`, `{"cpu":{"quota":50000,"period":100000}}`, true},
		{`{"cpu":{"quota":5,"period":10}}`, `{"cpu":{"quota":4,"period":10}}`, false},
		{`{"cpu":{"quota":5,"period":10}}`, `{"cpu":{"quota":60000,"period":100000}}`, false},
		{`{"cpu":{"shares":5}}`, `{"cpu":{"shares":5,"quota":1000}}`, false},
		{`{"cpu":{"quota":5000,"realtimeRuntime":9}}`, `{"cpu":{"quota":5000}}`, true},
		{`{"network":{"classID":9}}`, `{}`, true},
		{`{"network":{"classID":9,"priorities":[{"name":"lo","priority":1}]}}`, `{"network":{"priorities":[{"name":"lo","priority":1}]}}`, true},
		{`{"network":{"classID":9}}`, `{"network":{"classID":8}}`, false},
		{`{}`, `{"network":{"classID":8}}`, false},
		{`{"network":{"priorities":[{"name":"lo","priority":1}]}}`, `{}`, false},
		{`{"unified":{"memory.max":"max"}}`, `{"unified":{"memory.max":"5"}}`, true},
		{`{"unified":{"memory.max":"5"}}`, `{"unified":{"memory.max":"6"}}`, false},
		{`{"unified":{"memory.max":"5"}}`, `{"unified":{}}`, false},
		{`{}`, `{"unified":{"memory.swap.max":"0"}}`, true},
		{`{}`, `{"unified":{"memory.swap.max":"1"}}`, false},
		{`{}`, `{"unified":{"memory.max":"0"}}`, false},
		{`{"unified":{"memory.swap.max":"0"}}`, `{"unified":{}}`, false},
		{`{"unified":{"cpu.max":"max 100000"}}`, `{"unified":{"cpu.max":"1000 100000"}}`, true},
		{`{"memory":{"limit":9007199254740993}}`, `{"memory":{"limit":9007199254740992}}`, true},
		{`{"memory":{"limit":9007199254740992}}`, `{"memory":{"limit":9007199254740993}}`, false},
	} {
		if err := CheckResources([]byte(c.before), []byte(c.after)); (err == nil) != c.ok {
			t.Errorf("%s to %s: %v", c.before, c.after, err)
		}
	}
}

func TestDeviceRules(t *testing.T) {
	const deny, null, all = `{"allow":false,"access":"rwm"}`, `{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}`, `{"allow":true,"type":"a","access":"rwm"}`
	const disk, noNull = `{"allow":true,"type":"b","major":8,"access":"r"}`, `{"allow":false,"type":"c","major":1,"minor":3,"access":"w"}`
	for _, c := range []struct {
		before, after string
		ok            bool
	}{
		{null, deny + "," + null, true},
		{deny + "," + null + "," + disk, deny + "," + null, true},
		{deny + "," + null, deny + "," + null + "," + disk, false},
		{all, deny, true},
		{all, null + "," + disk, true},
		{deny, all, false},
		{all + "," + noNull, all, false},
		{all + "," + noNull, noNull + "," + all, false},
		{null + "," + noNull, null, false},
		{null, `{"allow":true,"type":"c","major":1,"minor":3,"access":"rwmx"}`, false},
		{null, `{"allow":true,"type":"z","access":"r"}`, false},
		{disk, `{"allow":true,"type":"b","major":8,"minor":-1,"access":"r"}`, true},
		{`{"allow":true,"type":"b","major":8,"minor":1,"access":"r"}`, disk, false},
	} {
		err := CheckResources([]byte(`{"devices":[`+c.before+`]}`), []byte(`{"devices":[`+c.after+`]}`))
		if (err == nil) != c.ok {
			t.Errorf("%s to %s: %v", c.before, c.after, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"process":{"args":["x"]}}`), []byte(`{"process":{}}`))
	f.Add([]byte(`{"mounts":[{"destination":"/a"}]}`), []byte(`{"mounts":[null]}`))
	for _, raw := range realSpecs(f) {
		if len(raw) > 4<<10 {
			continue // the small ones have every field
		}
		f.Add(raw, bytes.ReplaceAll(raw, []byte(`true`), []byte(`false`)))
	}
	f.Fuzz(func(t *testing.T, before, after []byte) {
		_ = Check(before, after, Evidence{})
		_ = CheckProcess(before, after)
		_ = CheckResources(before, after)
	})
}

func BenchmarkCheck(b *testing.B) {
	raw := realSpecs(b)["docker-default.json"]
	s := decode(b, raw)
	for _, st := range steps() {
		if st.field == "" {
			st.edit(s)
		}
	}
	after := encode(b, s)
	for b.Loop() {
		if err := Check(raw, after, Evidence{}); err != nil {
			b.Fatal(err)
		}
	}
}
