package plan

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The oracle says what is looser a second time, on the decoded documents and
// with neither the guard nor the controls: where it and they agree, one mistake
// is not enough.

// wantNotLooser asserts that after asks for nothing that before did not.
func wantNotLooser(t failer, rawBefore, rawAfter []byte) {
	var before, after specs.Spec
	if json.Unmarshal(rawBefore, &before) != nil || json.Unmarshal(rawAfter, &after) != nil {
		t.Errorf("a document that cannot be read")
		return
	}
	for _, s := range []*specs.Spec{&before, &after} {
		if s.Process == nil {
			s.Process = &specs.Process{}
		}
		if s.Linux == nil {
			s.Linux = &specs.Linux{}
		}
		if s.Linux.Resources == nil {
			s.Linux.Resources = &specs.LinuxResources{}
		}
		if s.Hooks == nil {
			s.Hooks = &specs.Hooks{}
		}
		if s.Root == nil {
			s.Root = &specs.Root{}
		}
	}
	processNotLooser(t, before.Process, after.Process)
	resourcesNotLooser(t, before.Linux.Resources, after.Linux.Resources)
	linuxNotLooser(t, before.Linux, after.Linux)
	mountsNotLooser(t, before.Mounts, after.Mounts)
	if before.Root.Readonly && !after.Root.Readonly || before.Root.Path != after.Root.Path {
		t.Errorf("the root file system: %+v, was %+v", after.Root, before.Root)
	}
	for k, v := range after.Annotations {
		if was, ok := before.Annotations[k]; !ok || was != v {
			t.Errorf("annotation %s", k)
		}
	}
	left := *after.Hooks
	own := fixedFacts(&specs.Spec{}).Own.Hook()
	if n := len(left.CreateRuntime); n > 0 && reflect.DeepEqual(left.CreateRuntime[n-1], own) {
		left.CreateRuntime = left.CreateRuntime[:n-1]
	}
	b, a := reflect.ValueOf(*before.Hooks), reflect.ValueOf(left)
	for i := range b.NumField() {
		if !hooksLeft(b.Type().Field(i).Name, a.Field(i).Interface().([]specs.Hook), b.Field(i).Interface().([]specs.Hook)) {
			t.Errorf("hooks %s", b.Type().Field(i).Name)
		}
	}
	if before.Hostname != after.Hostname || before.Domainname != after.Domainname || before.Version != after.Version {
		t.Errorf("names were changed")
	}
}

// hooksLeft tells whether each hook was there before, in the same order, with
// this environment or a part of it.
func hooksLeft(stage string, after, before []specs.Hook) bool {
	next := 0
	for _, a := range after {
		if stage == "CreateContainer" && slices.Equal(a.Env, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}) {
			a.Env = nil
		}
		for ; next < len(before); next++ {
			b := before[next]
			if subsequence(a.Env, b.Env) && (stage != "StartContainer" || len(a.Env) == len(b.Env)) {
				b.Env = a.Env
			}
			if reflect.DeepEqual(a, b) {
				break
			}
		}
		if next == len(before) {
			return false
		}
		next++
	}
	return true
}

// subsequence tells whether what is left is in its old order.
func subsequence[T any](after, before []T) bool {
	next := 0
	for _, a := range after {
		for next < len(before) && !reflect.DeepEqual(before[next], a) {
			next++
		}
		if next == len(before) {
			return false
		}
		next++
	}
	return true
}

func processNotLooser(t failer, before, after *specs.Process) {
	sets := func(c *specs.LinuxCapabilities) [][]string {
		if c == nil {
			c = &specs.LinuxCapabilities{}
		}
		return [][]string{c.Bounding, c.Effective, c.Inheritable, c.Permitted, c.Ambient}
	}
	was, is := sets(before.Capabilities), sets(after.Capabilities)
	for i := range was {
		for _, c := range is[i] {
			if !slices.Contains(was[i], c) {
				t.Errorf("capability %s in set %d", c, i)
			}
		}
	}
	if before.NoNewPrivileges && !after.NoNewPrivileges {
		t.Errorf("noNewPrivileges was turned off")
	}
	for _, l := range before.Rlimits {
		if !slices.ContainsFunc(after.Rlimits, func(n specs.POSIXRlimit) bool {
			return n.Type == l.Type && n.Hard <= l.Hard && n.Soft <= l.Soft
		}) {
			t.Errorf("limit %s of %d %d: %v", l.Type, l.Hard, l.Soft, after.Rlimits)
		}
	}
	if before.OOMScoreAdj != nil && (after.OOMScoreAdj == nil || *after.OOMScoreAdj < *before.OOMScoreAdj) {
		t.Errorf("oomScoreAdj")
	}
	if before.User.Umask != nil && (after.User.Umask == nil || *before.User.Umask&^*after.User.Umask != 0) {
		t.Errorf("umask")
	}
	for _, g := range after.User.AdditionalGids {
		if !slices.Contains(before.User.AdditionalGids, g) {
			t.Errorf("group %d", g)
		}
	}
	if before.User.UID != after.User.UID || before.User.GID != after.User.GID || before.Terminal != after.Terminal || before.Cwd != after.Cwd ||
		!slices.Equal(before.Args, after.Args) || !slices.Equal(before.Env, after.Env) ||
		before.ApparmorProfile != after.ApparmorProfile || before.SelinuxLabel != after.SelinuxLabel {
		t.Errorf("what runs was changed")
	}
}

func linuxNotLooser(t failer, before, after *specs.Linux) {
	paths := func(l *specs.Linux) map[string]string {
		m := map[string]string{}
		for _, ns := range l.Namespaces {
			m[string(ns.Type)] = "own " + ns.Path
		}
		return m
	}
	was, is := paths(before), paths(after)
	for typ, p := range is {
		if p != "own " && p != was[typ] && (typ != "user" || was["user"] != "") {
			t.Errorf("namespace %s is joined", typ)
		}
	}
	for typ := range was {
		if is[typ] == "" {
			t.Errorf("namespace %s is the host's", typ)
		}
	}
	for _, p := range before.MaskedPaths {
		if !slices.Contains(after.MaskedPaths, p) {
			t.Errorf("%s is not masked", p)
		}
	}
	for _, p := range before.ReadonlyPaths {
		if !slices.Contains(after.ReadonlyPaths, p) && !slices.Contains(after.MaskedPaths, p) {
			t.Errorf("%s is not read-only", p)
		}
	}
	if !subsequence(after.Devices, before.Devices) {
		t.Errorf("devices: %v, were %v", after.Devices, before.Devices)
	}
	for k, v := range after.Sysctl {
		if was, ok := before.Sysctl[k]; !ok || was != v && (k != "net.ipv4.ping_group_range" || v != "0 65535") {
			t.Errorf("sysctl %s", k)
		}
	}
	rank := map[string]int{"private": 0, "rprivate": 0, "unbindable": 0, "runbindable": 0, "slave": 1, "rslave": 1, "": 1, "shared": 2, "rshared": 2}
	if rank[after.RootfsPropagation] > rank[before.RootfsPropagation] {
		t.Errorf("propagation %s, was %s", after.RootfsPropagation, before.RootfsPropagation)
	}
	filterNotLooser(t, before.Seccomp, after.Seccomp)
	// A user namespace may be given, whose ids are nobody's.
	mappings := [][2][]specs.LinuxIDMapping{{before.UIDMappings, after.UIDMappings}, {before.GIDMappings, after.GIDMappings}}
	for _, m := range mappings {
		given := was["user"] == "" && is["user"] == "own " && len(m[0]) == 0 && len(m[1]) > 0 &&
			!slices.ContainsFunc(m[1], func(l specs.LinuxIDMapping) bool { return l.HostID < 65536 || l.Size == 0 })
		if !given && !reflect.DeepEqual(m[0], m[1]) {
			t.Errorf("the mappings were changed")
		}
	}
	if before.CgroupsPath != after.CgroupsPath {
		t.Errorf("the control group was changed")
	}
}

// ceiling reads a limit of the spec as a number: none is endless.
func ceiling(v *int64) int64 {
	if v == nil || *v <= 0 {
		return math.MaxInt64
	}
	return *v
}

func resourcesNotLooser(t failer, before, after *specs.LinuxResources) {
	memory := func(r *specs.LinuxResources) specs.LinuxMemory {
		if r.Memory == nil {
			return specs.LinuxMemory{}
		}
		return *r.Memory
	}
	pids := func(r *specs.LinuxResources) int64 {
		if r.Pids == nil {
			return math.MaxInt64
		}
		return ceiling(r.Pids.Limit)
	}
	was, is := memory(before), memory(after)
	if ceiling(is.Limit) > ceiling(was.Limit) || ceiling(is.Swap) > ceiling(was.Swap) || pids(after) > pids(before) {
		t.Errorf("a limit was raised")
	}
	share := func(r *specs.LinuxResources) *big.Rat {
		if r.CPU == nil || ceiling(r.CPU.Quota) == math.MaxInt64 {
			return nil
		}
		period := uint64(100000) // where none is given, and 0 is none
		if r.CPU.Period != nil && *r.CPU.Period != 0 {
			period = *r.CPU.Period
		}
		if period < 1000 || period > 1000000 { // the kernel takes no such limit
			return nil
		}
		return new(big.Rat).SetFrac(big.NewInt(*r.CPU.Quota), new(big.Int).SetUint64(period))
	}
	if x, y := share(before), share(after); x != nil && (y == nil || y.Cmp(x) > 0) {
		t.Errorf("CPU time was raised: %v, was %v", y, x)
	}
	for _, typ := range []string{"c", "b"} {
		for _, major := range numbers(before, after, func(r specs.LinuxDeviceCgroup) *int64 { return r.Major }) {
			for _, minor := range numbers(before, after, func(r specs.LinuxDeviceCgroup) *int64 { return r.Minor }) {
				for _, access := range []string{"r", "w", "m"} {
					if opens(after.Devices, typ, major, minor, access) && !opens(before.Devices, typ, major, minor, access) {
						t.Errorf("device %s %d:%d is open for %s", typ, major, minor, access)
					}
				}
			}
		}
	}
}

func numbers(a, b *specs.LinuxResources, of func(specs.LinuxDeviceCgroup) *int64) []int64 {
	all := []int64{0, 1, 3, 8, 254, 7777}
	for _, r := range slices.Concat(a.Devices, b.Devices) {
		if n := of(r); n != nil && !slices.Contains(all, *n) {
			all = append(all, *n)
		}
	}
	return all
}

// opens reads the rules from the last to the first: the first that speaks of
// the device decides.
func opens(rules []specs.LinuxDeviceCgroup, typ string, major, minor int64, access string) bool {
	for _, r := range slices.Backward(rules) {
		any_ := r.Type == "" || r.Type == "a"
		speaks := any_ || r.Type == typ && (r.Major == nil || *r.Major == -1 || *r.Major == major) && (r.Minor == nil || *r.Minor == -1 || *r.Minor == minor)
		if speaks && (any_ || r.Access == "" || slices.Contains([]byte(r.Access), access[0])) {
			return r.Allow
		}
	}
	return false
}

func mountsNotLooser(t failer, before, after []specs.Mount) {
	next := 0
	for _, m := range after {
		at := next
		for at < len(before) && (before[at].Destination != m.Destination || before[at].Source != m.Source || before[at].Type != m.Type) {
			at++
		}
		if at == len(before) {
			if m.Type != "tmpfs" || !slices.Contains(m.Options, "nosuid") || !slices.Contains(m.Options, "nodev") {
				t.Errorf("mount %s was added", m.Destination)
			}
			continue
		}
		next = at + 1
		for _, o := range []string{"ro", "nosuid", "nodev", "noexec"} {
			if inForce(before[at].Options, o) && !inForce(m.Options, o) || inForce(before[at].Options, "r"+o) && !inForce(m.Options, "r"+o) {
				t.Errorf("mount %s lost %s: %v, was %v", m.Destination, o, m.Options, before[at].Options)
			}
		}
		for _, o := range m.Options {
			if (o == "shared" || o == "rshared") && !slices.Contains(before[at].Options, o) {
				t.Errorf("mount %s spreads", m.Destination)
			}
		}
	}
}

// inForce reads options as mount(8) does: the last word counts.
func inForce(options []string, name string) bool {
	opposite := map[string]string{"ro": "rw", "rro": "rrw", "nosuid": "suid", "rnosuid": "rsuid", "nodev": "dev", "rnodev": "rdev", "noexec": "exec", "rnoexec": "rexec"}[name]
	for _, o := range slices.Backward(options) {
		if o == name || o == opposite {
			return o == name
		}
	}
	return false
}
