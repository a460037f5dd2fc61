package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/policy"
)

type object = map[string]any

// mark is a member that nobody knows, in a spelling that no encoder gives.
const mark = `{"n":1.500e+01,"s":"\u0041"}`

var marked = regexp.MustCompile(`"x-mark-[0-9]+":\{[^}]*\}`)

func marks(raw []byte) [][]byte { return marked.FindAll(raw, -1) }

// tree decodes a document so that numbers keep their spelling.
func tree(raw []byte) object {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v := object{}
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// text encodes a tree; the marks are put in last, or they would lose their
// spelling.
func text(v object) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return bytes.ReplaceAll(raw, []byte(`"MARK"`), []byte(mark))
}

func below(v object, path ...string) object {
	for _, p := range path {
		next, ok := v[p].(object)
		if !ok {
			next = object{}
			v[p] = next
		}
		v = next
	}
	return v
}

func pick[T any](t *rapid.T, all ...T) T { return rapid.SampledFrom(all).Draw(t, "pick") }

func some(t *rapid.T, all ...string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, len(all), rapid.ID).Draw(t, "some")
}

func number(t *rapid.T) json.Number {
	return pick[json.Number](t, "0", "1", "-1", "5", "1000", "65536", "100000", "1048576", "9007199254740993", "9223372036854775807", "-9223372036854775808", "1e3", "18446744073709551615")
}

func names() []string {
	return []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_NET_RAW", "cap_kill", "CAP_NONE"}
}

func options(t *rapid.T) []string {
	return some(t, "bind", "rbind", "ro", "rw", "rro", "rrw", "nosuid", "suid", "rnosuid", "nodev", "dev", "noexec", "exec", "shared", "rshared", "slave",
		"private", "mode=755", "size=64k", "strictatime", "idmap", "tmpcopyup")
}

func mountOf(t *rapid.T) object {
	return object{
		"destination": pick(t, "/data", "/proc", "/sys", "/dev", "/tmp", "/x/../tmp", "tmp", "/", "/sys/fs/cgroup", "/run"),
		"type":        pick(t, "bind", "tmpfs", "proc", "sysfs", "cgroup", "mqueue", "devpts", "overlay", "none", ""),
		"source":      pick(t, "/srv/data", "/", "/etc", "/var/run/docker.sock", "tmpfs", "proc", "/dev/sda", "/proc/1/root", ""),
		"options":     options(t),
	}
}

func ruleOf(t *rapid.T) object {
	r := object{"allow": rapid.Bool().Draw(t, "allow"), "type": pick(t, "", "a", "c", "b", "u"), "access": pick(t, "rwm", "r", "w", "m", "rw", "")}
	if rapid.Bool().Draw(t, "major") {
		r["major"] = pick(t, 1, 8, 136, -1, 10, 7)
	}
	if rapid.Bool().Draw(t, "minor") {
		r["minor"] = pick(t, 3, 0, -1, 229, 5)
	}
	return r
}

// edits are changes of a spec, each of a field that carries privilege.
func edits() map[string]func(*rapid.T, object) {
	add := func(v object, key string, e any) { l, _ := v[key].([]any); v[key] = append(l, e) }
	return map[string]func(*rapid.T, object){
		"capabilities": func(t *rapid.T, s object) {
			below(s, "process", "capabilities")[pick(t, "bounding", "effective", "permitted", "inheritable", "ambient")] = some(t, names()...)
		},
		"user": func(t *rapid.T, s object) {
			below(s, "process", "user")[pick(t, "uid", "gid", "umask")] = pick(t, 0, 1000, 18, 0o77)
		},
		"gids": func(t *rapid.T, s object) {
			add(below(s, "process", "user"), "additionalGids", pick(t, 0, 6, 998, 1000))
		},
		"noNewPrivileges": func(t *rapid.T, s object) { below(s, "process")["noNewPrivileges"] = rapid.Bool().Draw(t, "on") },
		"oom":             func(t *rapid.T, s object) { below(s, "process")["oomScoreAdj"] = pick(t, -1000, -1, 0, 500, 1000) },
		"rlimit": func(t *rapid.T, s object) {
			add(below(s, "process"), "rlimits", object{"type": pick(t, "RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_X"), "hard": pick(t, 0, 1024, 1<<40), "soft": pick(t, 0, 1024, 1<<41)})
		},
		"realtime": func(t *rapid.T, s object) {
			below(s, "process")["scheduler"] = object{"policy": pick(t, "SCHED_FIFO", "SCHED_OTHER")}
		},
		"namespace": func(t *rapid.T, s object) {
			add(below(s, "linux"), "namespaces", object{"type": pick(t, "pid", "network", "time", "user", "cgroup"), "path": pick(t, "", "/proc/1/ns/pid", "/proc/77/ns/net")})
		},
		"no namespaces": func(_ *rapid.T, s object) { delete(below(s, "linux"), "namespaces") },
		"mount":         func(t *rapid.T, s object) { add(s, "mounts", mountOf(t)) },
		"mount options": func(t *rapid.T, s object) {
			if l, _ := s["mounts"].([]any); len(l) > 0 {
				if m, ok := l[rapid.IntRange(0, len(l)-1).Draw(t, "mount")].(object); ok {
					m["options"] = options(t)
				}
			}
		},
		"device": func(t *rapid.T, s object) {
			add(below(s, "linux"), "devices", object{"path": pick(t, "/dev/null", "/dev/sda", "/dev/fuse"), "type": pick(t, "c", "b", "p"), "major": pick(t, 1, 8, 10), "minor": pick(t, 3, 0, 229)})
		},
		"device rule": func(t *rapid.T, s object) { add(below(s, "linux", "resources"), "devices", ruleOf(t)) },
		"limit": func(t *rapid.T, s object) {
			below(s, "linux", "resources", "memory")[pick(t, "limit", "swap", "reservation")] = number(t)
		},
		"oom killer": func(t *rapid.T, s object) {
			below(s, "linux", "resources", "memory")["disableOOMKiller"] = rapid.Bool().Draw(t, "off")
		},
		"pids": func(t *rapid.T, s object) { below(s, "linux", "resources", "pids")["limit"] = number(t) },
		"cpu": func(t *rapid.T, s object) {
			below(s, "linux", "resources", "cpu")[pick(t, "quota", "quota", "shares", "realtimeRuntime", "burst")] = number(t)
		},
		"period": func(t *rapid.T, s object) {
			below(s, "linux", "resources", "cpu")["period"] = pick(t, 0, 1000, 65536, 100000, 1000000)
		},
		"unified": func(t *rapid.T, s object) {
			below(s, "linux", "resources", "unified")[pick(t, "memory.max", "pids.max", "cpu.max", "memory.swap.max", "memory.low", "io.max", "cgroup.procs")] = pick(t, "max", "5", "9999999999999", "max 100000", "50000 100000", "x", "")
		},
		"sysctl": func(t *rapid.T, s object) {
			below(s, "linux", "sysctl")[pick(t, "net.ipv4.ip_forward", "kernel.shmmax", "kernel.core_pattern", "net/ipv4/x", "fs.mqueue.msg_max")] = pick(t, "1", "|/bin/x")
		},
		"hook": func(t *rapid.T, s object) {
			add(below(s, "hooks"), pick(t, "prestart", "createRuntime", "createContainer", "poststop", "startContainer"), object{
				"path": pick(t, "/bin/x", "/proc/9/exe"), "args": []string{"x", "libnetwork-setkey"}, "env": some(t, "BASH_ENV=/x", "HOME=/", "PATH=/x", "A"),
			})
		},
		"annotation": func(t *rapid.T, s object) {
			below(s, "annotations")[pick(t, "bundle", "org.systemd.property.x", "run.oci.hooks.stderr", "a", "hatchdog.dev/profile")] = pick(t, "x", "untrusted")
		},
		"masked": func(t *rapid.T, s object) {
			below(s, "linux")[pick(t, "maskedPaths", "readonlyPaths")] = some(t, "/proc/kcore", "/proc/sys", "/sys/firmware", "/data")
		},
		"propagation": func(t *rapid.T, s object) {
			below(s, "linux")["rootfsPropagation"] = pick(t, "", "shared", "rshared", "private", "slave", "unbindable")
		},
		"root": func(t *rapid.T, s object) { below(s, "root")["readonly"] = rapid.Bool().Draw(t, "readonly") },
		"net":  func(_ *rapid.T, s object) { below(s, "linux", "netDevices")["eth0"] = object{} },
		"no process": func(t *rapid.T, s object) {
			delete(s, pick(t, "process", "linux", "mounts", "root", "hooks"))
		},
	}
}

// strange puts any value in any place of the tree.
func strange(t *rapid.T, v any) {
	switch v := v.(type) {
	case object:
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 {
			return
		}
		key := rapid.SampledFrom(keys).Draw(t, "key")
		if pick(t, true, true, false) {
			strange(t, v[key])
			return
		}
		v[key] = pick[any](t, nil, true, "", "x", json.Number("-1"), json.Number("1e400"), []any{}, []any{nil}, object{}, object{"x": nil})
	case []any:
		if len(v) == 0 {
			return
		}
		i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
		switch pick(t, 0, 0, 1, 2) {
		case 0:
			strange(t, v[i])
		case 1:
			v[i] = pick[any](t, nil, "x", object{}, json.Number("7"))
		case 2:
			j := rapid.IntRange(0, len(v)-1).Draw(t, "other")
			v[i], v[j] = v[j], v[i]
		}
	}
}

// withUser gives the process, where there is one, the user that it must have.
func withUser(s object) {
	process, ok := s["process"].(object)
	if !ok {
		return
	}
	for _, id := range []string{"uid", "gid"} {
		if user := below(process, "user"); user[id] == nil {
			user[id] = 0
		}
	}
}

// drawSpec is a captured spec with some changes. It is odd where a value may
// not be of the shape that the spec gives it.
func drawSpec(t *rapid.T, docs map[string][]byte) (raw []byte, odd bool) {
	s := tree(docs[rapid.SampledFrom(slices.Sorted(maps.Keys(docs))).Draw(t, "spec")])
	all := edits()
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		all[rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "edit")](t, s)
	}
	withUser(s)
	if odd = rapid.IntRange(0, 9).Draw(t, "strange") == 0; odd {
		strange(t, s)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "marks") {
		at := pick(t, []string{}, []string{"process"}, []string{"process", "user"}, []string{"linux"}, []string{"linux", "resources"}, []string{"root"})
		below(s, at...)[fmt.Sprintf("x-mark-%d", i)] = "MARK"
	}
	if !odd { // a mark may have made the process
		withUser(s)
	}
	if mounts, _ := s["mounts"].([]any); len(mounts) > 0 {
		m, ok := mounts[0].(object)
		if listed, _ := json.Marshal(m["options"]); ok && m["type"] == "proc" && !bytes.Contains(listed, []byte(`bind"`)) { // a bind mount may be left out
			m["x-mark-9"] = "MARK"
		}
	}
	return text(s), odd
}

func drawProcess(t *rapid.T, processes map[string][]byte) []byte {
	s := object{"process": tree(processes[rapid.SampledFrom(slices.Sorted(maps.Keys(processes))).Draw(t, "process")])}
	all := edits()
	of := []string{"capabilities", "user", "gids", "noNewPrivileges", "oom", "rlimit", "realtime"}
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		all[rapid.SampledFrom(of).Draw(t, "edit")](t, s)
	}
	if rapid.Bool().Draw(t, "mark") {
		below(s, "process")["x-mark-1"] = "MARK"
	}
	return text(below(s, "process"))
}

func drawResources(t *rapid.T) []byte {
	s := object{}
	all := edits()
	for range rapid.IntRange(0, 5).Draw(t, "edits") {
		all[rapid.SampledFrom([]string{"limit", "oom killer", "pids", "cpu", "period", "unified"}).Draw(t, "edit")](t, s)
	}
	if rapid.Bool().Draw(t, "mark") {
		below(s, "linux", "resources")["x-mark-1"] = "MARK"
	}
	return text(below(s, "linux", "resources"))
}

// drawProfile is a built-in profile, as it is or with other ceilings.
func drawProfile(t *rapid.T, all map[string]*policy.Profile) *policy.Profile {
	p := *all[rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "profile")]
	if rapid.Bool().Draw(t, "as it is") {
		return &p
	}
	maximum := func() *int64 {
		return pick(t, nil, new(int64(1)), new(int64(100)), new(int64(1<<30)), new(int64(math.MaxInt64/1000000)))
	}
	p.OnExcess = maps.Clone(p.OnExcess)
	for _, control := range slices.Sorted(maps.Keys(p.OnExcess)) {
		p.OnExcess[control] = pick(t, policy.Tighten, policy.Tighten, policy.Refuse)
	}
	p.Capabilities.Max = some(t, "CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN", "CAP_SETUID")
	p.Capabilities.NonRoot = pick(t, policy.NonRootAmbient, policy.NonRootKeep)
	p.Privilege.NoNewPrivileges = rapid.Bool().Draw(t, "noNewPrivileges")
	p.Privilege.OOMScoreAdjMin = pick(t, -1000, -5, 0, 500)
	p.Privilege.Umask = pick(t, nil, new(uint32(0o77)), new(uint32(0)), new(uint32(0o22)))
	p.Privilege.Rlimits = map[string]policy.RlimitRule{"RLIMIT_NOFILE": {Max: pick[uint64](t, 0, 1024, math.MaxUint64), Force: rapid.Bool().Draw(t, "force")}}
	p.Namespaces = policy.NamespaceRules{Host: some(t, "pid", "network", "ipc", "cgroup"), Join: some(t, "pid", "network", "ipc", "uts")}
	p.Mounts.Sockets = rapid.Bool().Draw(t, "sockets")
	p.Mounts.Allow = pick(t, nil, []policy.PathRule{{Path: "/etc", Access: policy.AccessRO}}, []policy.PathRule{{Path: "/", Access: policy.AccessRW}})
	p.RootFS.ReadOnly = rapid.Bool().Draw(t, "readonly")
	p.Devices.Allow = pick(t, nil, []policy.DeviceRule{{Type: "c", Access: "rw"}}, []policy.DeviceRule{{Type: "c", Major: new(int64(10)), Minor: new(int64(229)), Access: "rwm"}})
	p.Pids.Max, p.Memory.Max, p.Memory.Swap, p.CPU.MaxMilli = maximum(), maximum(), maximum(), maximum()
	p.Sysctls.Allow = some(t, "net.*", "kernel.shmmax", "*")
	p.Hooks = policy.HookRules{Allow: some(t, "/bin/x"), Env: some(t, "HOME", "PA*"), Args: some(t, "x", "--y=*"), DockerNetwork: rapid.Bool().Draw(t, "docker")}
	p.Annotations.Strip = some(t, "a", "run.oci.*", "*")
	return &p
}
