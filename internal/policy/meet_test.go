package policy

import (
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// TestMain asks rapid for more than its usual 100 tries and for no files; its
// flags on the command line still count.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "1000", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func holds[T comparable](all, part []T) bool {
	return !slices.ContainsFunc(part, func(x T) bool { return !slices.Contains(all, x) })
}

func notAbove(m, p *int64) bool { return p == nil || m != nil && *m <= *p }

// somePaths are the places where two policies on mounts are compared.
func somePaths() []string {
	var all []string
	for _, a := range []string{"x", "y"} {
		all = append(all, "/"+a)
		for _, b := range []string{"x", "y"} {
			all = append(all, "/"+a+"/"+b)
			for _, c := range []string{"x", "y"} {
				all = append(all, "/"+a+"/"+b+"/"+c)
			}
		}
	}
	return append(all, "/")
}

// noApparmor is a profile that leaves what the engine set: nothing is wider.
func noApparmor(p *Profile) bool { return p.Apparmor.Require == Never }

// orders says for each field of a profile whether m admits no more than p.
var orders = map[string]func(m, p *Profile) bool{
	"Name":        func(_, _ *Profile) bool { return true },
	"Description": func(_, _ *Profile) bool { return true },
	"Because":     func(_, _ *Profile) bool { return true },
	"Origin": func(m, p *Profile) bool {
		return holds(slices.Collect(maps.Keys(m.Origin)), slices.Collect(maps.Keys(p.Origin)))
	},
	"OnExcess": func(m, p *Profile) bool {
		for control, excess := range p.OnExcess {
			if excess == Refuse && m.OnExcess[control] != Refuse {
				return false
			}
		}
		return true
	},
	"UnknownFields": func(m, p *Profile) bool { return p.UnknownFields != RefuseUnknown || m.UnknownFields == RefuseUnknown },
	"UserNS.Mode": func(m, p *Profile) bool {
		order := []UserNSMode{"", UserNSOff, UserNSAuto, UserNSRequired}
		return slices.Index(order, m.UserNS.Mode) >= slices.Index(order, p.UserNS.Mode)
	},
	"UserNS.Size.Min": func(m, p *Profile) bool {
		least, _ := m.UserNS.Size.Bounds()
		was, _ := p.UserNS.Size.Bounds()
		return least <= was
	},
	"UserNS.Size.Max": func(m, p *Profile) bool {
		_, most := m.UserNS.Size.Bounds()
		_, was := p.UserNS.Size.Bounds()
		return most <= was
	},
	"UserNS.Volumes.Default": func(m, p *Profile) bool { return m.UserNS.Volumes.within(p.UserNS.Volumes, "/elsewhere") },
	"UserNS.Volumes.Rules": func(m, p *Profile) bool {
		return !slices.ContainsFunc(somePaths(), func(path string) bool { return !m.UserNS.Volumes.within(p.UserNS.Volumes, path) })
	},
	"Others":           func(m, p *Profile) bool { return m.Others != OthersAdmit || p.Others == OthersAdmit },
	"Restore":          func(m, p *Profile) bool { return m.Restore != RestoreAdmit || p.Restore == RestoreAdmit },
	"Capabilities.Max": func(m, p *Profile) bool { return holds(p.Capabilities.Max, m.Capabilities.Max) },
	"Capabilities.NonRoot": func(m, p *Profile) bool {
		return p.Capabilities.NonRoot != NonRootAmbient || m.Capabilities.NonRoot == NonRootAmbient
	},
	"Privilege.NoNewPrivileges": func(m, p *Profile) bool {
		return m.Privilege.NoNewPrivileges || !p.Privilege.NoNewPrivileges
	},
	"Privilege.OOMScoreAdjMin": func(m, p *Profile) bool { return m.Privilege.OOMScoreAdjMin >= p.Privilege.OOMScoreAdjMin },
	"Privilege.Umask": func(m, p *Profile) bool {
		return p.Privilege.Umask == nil || m.Privilege.Umask != nil && *p.Privilege.Umask&^*m.Privilege.Umask == 0
	},
	"Privilege.SelinuxTypes": func(m, p *Profile) bool { return holds(p.Privilege.SelinuxTypes, m.Privilege.SelinuxTypes) },
	"Privilege.DeniedGids":   func(m, p *Profile) bool { return holds(m.Privilege.DeniedGids, p.Privilege.DeniedGids) },
	"Privilege.Rlimits": func(m, p *Profile) bool {
		for name, rule := range p.Privilege.Rlimits {
			have, ok := m.Privilege.Rlimits[name]
			if !ok || have.Max > rule.Max || rule.Force && !have.Force {
				return false
			}
		}
		return true
	},
	"Apparmor.Profile": func(m, p *Profile) bool {
		return noApparmor(p) || m.Apparmor.Profile == p.Apparmor.Profile || m.Apparmor.Profile == "" && m.Apparmor.Require == Always || ApparmorStricter(m.Apparmor.Profile, p.Apparmor.Profile)
	},
	"Apparmor.Require": func(m, p *Profile) bool {
		return noApparmor(p) || m.Apparmor.Require == Always || m.Apparmor.Require == p.Apparmor.Require
	},
	"Apparmor.OnMissing": func(m, p *Profile) bool {
		return noApparmor(p) || m.Apparmor.OnMissing == RefuseMissing || p.Apparmor.OnMissing == ContinueMissing
	},
	"Apparmor.Keep":   func(m, p *Profile) bool { return noApparmor(p) || holds(p.Apparmor.Keep, m.Apparmor.Keep) },
	"Namespaces.Host": func(m, p *Profile) bool { return holds(p.Namespaces.Host, m.Namespaces.Host) },
	"Namespaces.Join": func(m, p *Profile) bool { return holds(p.Namespaces.Join, m.Namespaces.Join) },
	"Mounts.Protect": func(m, p *Profile) bool { // what it protects from is compared with Allow
		return !slices.ContainsFunc(p.Mounts.Protect, func(r PathRule) bool {
			return !slices.ContainsFunc(m.Mounts.Protect, func(h PathRule) bool { return h.Path == r.Path })
		})
	},
	"Mounts.Allow": func(m, p *Profile) bool {
		for _, path := range somePaths() {
			has, rule := m.Mounts.AccessFor(path)
			had, was := p.Mounts.AccessFor(path)
			// An exception by name also admits sockets and device nodes.
			named, wasNamed := slices.Contains(m.Mounts.Allow, rule), slices.Contains(p.Mounts.Allow, was)
			if accessRank(has) > accessRank(had) || named && !wasNamed && has != AccessNone {
				return false
			}
		}
		return true
	},
	"Mounts.Sockets":         func(m, p *Profile) bool { return !m.Mounts.Sockets || p.Mounts.Sockets },
	"Mounts.Masked":          func(m, p *Profile) bool { return holds(m.Mounts.Masked, p.Mounts.Masked) },
	"Mounts.ReadOnly":        func(m, p *Profile) bool { return holds(m.Mounts.ReadOnly, p.Mounts.ReadOnly) },
	"Mounts.Visible":         func(m, p *Profile) bool { return holds(p.Mounts.Visible, m.Mounts.Visible) },
	"Mounts.TmpOptions":      func(m, p *Profile) bool { return holds(m.Mounts.TmpOptions, p.Mounts.TmpOptions) },
	"Mounts.WritableOptions": func(m, p *Profile) bool { return holds(m.Mounts.WritableOptions, p.Mounts.WritableOptions) },
	"Mounts.ReadOnlyAt":      func(m, p *Profile) bool { return holds(m.Mounts.ReadOnlyAt, p.Mounts.ReadOnlyAt) },
	"Mounts.ProcOptions":     func(m, p *Profile) bool { return holds(m.Mounts.ProcOptions, p.Mounts.ProcOptions) },
	"RootFS.Allow":           func(m, p *Profile) bool { return holds(p.RootFS.Allow, m.RootFS.Allow) },
	"RootFS.ReadOnly":        func(m, p *Profile) bool { return m.RootFS.ReadOnly || !p.RootFS.ReadOnly },
	"RootFS.Tmpfs":           func(m, p *Profile) bool { return !p.RootFS.ReadOnly || holds(p.RootFS.Tmpfs, m.RootFS.Tmpfs) },
	"RootFS.TmpfsSize": func(m, p *Profile) bool {
		return !p.RootFS.ReadOnly || p.RootFS.TmpfsSize == 0 || m.RootFS.TmpfsSize != 0 && m.RootFS.TmpfsSize <= p.RootFS.TmpfsSize
	},
	"Devices.Allow": func(m, p *Profile) bool {
		for _, d := range m.Devices.Allow {
			if !slices.ContainsFunc(p.Devices.Allow, func(o DeviceRule) bool {
				return o.Type == d.Type && (o.Major == nil || same(o.Major, d.Major)) && (o.Minor == nil || same(o.Minor, d.Minor)) && strings.Trim(d.Access, o.Access) == ""
			}) {
				return false
			}
		}
		return true
	},
	"Pids.Max":            func(m, p *Profile) bool { return notAbove(m.Pids.Max, p.Pids.Max) },
	"Memory.Max":          func(m, p *Profile) bool { return notAbove(m.Memory.Max, p.Memory.Max) },
	"Memory.Swap":         func(m, p *Profile) bool { return notAbove(m.Memory.Swap, p.Memory.Swap) },
	"CPU.MaxMilli":        func(m, p *Profile) bool { return notAbove(m.CPU.MaxMilli, p.CPU.MaxMilli) },
	"Sysctls.Allow":       func(m, p *Profile) bool { return holds(p.Sysctls.Allow, m.Sysctls.Allow) },
	"Hooks.Allow":         func(m, p *Profile) bool { return holds(p.Hooks.Allow, m.Hooks.Allow) },
	"Hooks.Args":          func(m, p *Profile) bool { return holds(p.Hooks.Args, m.Hooks.Args) },
	"Hooks.Env":           func(m, p *Profile) bool { return holds(p.Hooks.Env, m.Hooks.Env) },
	"Hooks.DockerNetwork": func(m, p *Profile) bool { return !m.Hooks.DockerNetwork || p.Hooks.DockerNetwork },
	"Seccomp.Table": func(m, p *Profile) bool {
		return slices.Index(seccompTables(), string(m.Seccomp.Table)) >= slices.Index(seccompTables(), string(p.Seccomp.Table))
	},
	"Seccomp.Architectures": func(m, p *Profile) bool { return holds(p.Seccomp.Architectures, m.Seccomp.Architectures) },
	"Seccomp.Allow":         func(m, p *Profile) bool { return holds(p.Seccomp.Allow, m.Seccomp.Allow) },
	"Seccomp.Deny":          func(m, p *Profile) bool { return holds(m.Seccomp.Deny, p.Seccomp.Deny) },
	"Seccomp.Listeners":     func(m, p *Profile) bool { return holds(p.Seccomp.Listeners, m.Seccomp.Listeners) },
	"Seccomp.Log":           func(m, p *Profile) bool { return m.Seccomp.Log || !p.Seccomp.Log },
	"Egress.Default":        reachesNoMore,
	"Egress.Allow":          reachesNoMore,
	"Egress.Deny":           reachesNoMore,
	"Egress.Names.Unlisted": func(m, p *Profile) bool { return true }, // either opens nothing
	"Egress.Also":           reachesNoMore,
	"Egress.From":           func(_, _ *Profile) bool { return true },
	"Ingress.Default":       reachedByNoMore,
	"Ingress.Allow":         reachedByNoMore,
	"Ingress.Also":          reachedByNoMore,
	"Ingress.From":          func(_, _ *Profile) bool { return true },
	"Rate.Egress":           func(m, p *Profile) bool { return notAbove(m.Rate.Egress, p.Rate.Egress) },
	"Prevent.Deny":          func(m, p *Profile) bool { return holds(m.Prevent.Denied(), p.Prevent.Denied()) },
	"Prevent.Require": func(m, p *Profile) bool {
		return len(p.Prevent.Denied()) == 0 || m.Prevent.Require == Always || m.Prevent.Require == p.Prevent.Require
	},
	"Detect.Escape":     func(m, p *Profile) bool { return holds(m.Detect.Escape, p.Detect.Escape) },
	"Detect.Drift":      func(m, p *Profile) bool { return holds(m.Detect.Drift, p.Detect.Drift) },
	"Detect.Capability": func(m, p *Profile) bool { return holds(m.Detect.Capability, p.Detect.Capability) },
	"Detect.Setuid":     func(m, p *Profile) bool { return holds(m.Detect.Setuid, p.Detect.Setuid) },
	"Detect.Calls":      func(m, p *Profile) bool { return holds(m.Detect.Calls, p.Detect.Calls) },
	"Detect.Kernel":     func(m, p *Profile) bool { return holds(m.Detect.Kernel, p.Detect.Kernel) },
	"Detect.Sockets":    func(m, p *Profile) bool { return holds(m.Detect.Sockets, p.Detect.Sockets) },
	"Detect.Trace":      func(m, p *Profile) bool { return holds(m.Detect.Trace, p.Detect.Trace) },
	"Detect.Metadata":   func(m, p *Profile) bool { return holds(m.Detect.Metadata, p.Detect.Metadata) },
	"Detect.Network":    func(m, p *Profile) bool { return holds(m.Detect.Network, p.Detect.Network) },
	"Detect.Files":      func(m, p *Profile) bool { return holds(m.Detect.Files, p.Detect.Files) },
	"Detect.Gone":       func(m, p *Profile) bool { return holds(m.Detect.Gone, p.Detect.Gone) },
	"Detect.Flood":      func(m, p *Profile) bool { return holds(m.Detect.Flood, p.Detect.Flood) },
	"Annotations.Strip": func(m, p *Profile) bool { return holds(m.Annotations.Strip, p.Annotations.Strip) },
}

// within: what v maps or lets write, o does too.
func (v VolumeRules) within(o VolumeRules, path string) bool {
	has, had := v.For(path), o.For(path)
	return (!has.Mapped() || had.Mapped()) && (has.ReadOnly() || !had.ReadOnly())
}

// leaves are the fields of a profile, with those of the structs in it.
func leaves(t reflect.Type, prefix string) []string {
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type.Kind() == reflect.Struct {
			all = append(all, leaves(f.Type, prefix+f.Name+".")...)
		} else {
			all = append(all, prefix+f.Name)
		}
	}
	return all
}

func TestEveryFieldOfAProfileHasAnOrder(t *testing.T) {
	all := leaves(reflect.TypeFor[Profile](), "")
	for _, name := range all {
		if orders[name] == nil {
			t.Errorf("%s: say what is wider, here and in Meet", name)
		}
	}
	if len(all) != len(orders) {
		t.Errorf("%d fields, %d orders", len(all), len(orders))
	}
}

func volume(t *rapid.T) VolumeMode {
	return rapid.SampledFrom([]VolumeMode{"", VolumeTransparent, VolumeShifted, VolumeRO, VolumeShiftedRO}).Draw(t, "volume")
}

func drawProfile(t *rapid.T) *Profile {
	some := func(all ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, len(all), rapid.ID).Draw(t, "some")
	}
	limit := func() *int64 {
		return rapid.SampledFrom([]*int64{nil, new(int64(1)), new(int64(5)), new(int64(900))}).Draw(t, "limit")
	}
	on := func() bool { return rapid.Bool().Draw(t, "on") }
	verdict := func() egress.Verdict {
		return rapid.SampledFrom([]egress.Verdict{egress.Allow, egress.Deny}).Draw(t, "verdict")
	}
	rules := func() []PathRule {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) PathRule {
			return PathRule{
				Path:   rapid.SampledFrom([]string{"/", "/x", "/y", "/x/y", "/x/*", "/*/y", "/x/y/x", "/x/*/x", "/*/y/*", "/y/x"}).Draw(t, "path"),
				Access: rapid.SampledFrom([]Access{AccessNone, AccessRO, AccessRW}).Draw(t, "access"),
			}
		}), 0, 4).Draw(t, "rules")
	}
	p := &Profile{
		Seccomp: SeccompRules{
			Table:         SeccompTable(rapid.SampledFrom(seccompTables()).Draw(t, "table")),
			Architectures: some("SCMP_ARCH_X86", "SCMP_ARCH_ARM"), Allow: some("read", "keyctl"), Deny: some("mount", "bpf"), Listeners: some("/run/a.sock", "/run/b.sock"), Log: on(),
		},
		Name: "p", OnExcess: map[string]Excess{}, UnknownFields: rapid.SampledFrom([]UnknownFields{KeepUnknown, RefuseUnknown}).Draw(t, "unknown"),
		UserNS: UserNSRules{
			Mode: rapid.SampledFrom([]UserNSMode{"", UserNSOff, UserNSAuto, UserNSRequired}).Draw(t, "userns"),
			Size: rapid.SampledFrom([]UserNSSize{{}, {Min: 1 << 16}, {Max: 1 << 16}, {Min: 1 << 17, Max: 1 << 18}}).Draw(t, "size"),
			Volumes: VolumeRules{volume(t), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) VolumeRule {
				return VolumeRule{rapid.SampledFrom([]string{"/", "/x", "/x/y", "/x/y/x", "/y"}).Draw(t, "path"), volume(t)}
			}), 0, 3).Draw(t, "volumes")},
		},
		Capabilities: CapabilityRules{some("CAP_KILL", "CAP_CHOWN", "CAP_SETUID"), rapid.SampledFrom([]NonRootCaps{NonRootAmbient, NonRootKeep}).Draw(t, "nonroot")},
		Privilege: PrivilegeRules{
			NoNewPrivileges: on(), OOMScoreAdjMin: rapid.IntRange(-5, 5).Draw(t, "oom"),
			Umask:        rapid.SampledFrom([]*uint32{nil, new(uint32(0o22)), new(uint32(0o70))}).Draw(t, "umask"),
			SelinuxTypes: rapid.SliceOfN(rapid.SampledFrom([]string{"container_t", "spc_t", "x_t"}), 0, 3).Draw(t, "types"),
			DeniedGids:   rapid.SliceOfN(rapid.Uint32Range(0, 5), 0, 3).Draw(t, "gids"),
			Rlimits:      rapid.SampledFrom([]map[string]RlimitRule{nil, {"RLIMIT_CORE": {0, true}}, {"RLIMIT_CORE": {9, false}, "RLIMIT_NOFILE": {5, on()}}}).Draw(t, "rlimits"),
		},
		Apparmor: ApparmorRules{
			Profile:   rapid.SampledFrom([]string{"", "docker-default", "hatchdog-baseline", "hatchdog-untrusted", "custom", "other"}).Draw(t, "apparmor"),
			Require:   rapid.SampledFrom([]Require{IfAvailable, Always, Never}).Draw(t, "require"),
			OnMissing: rapid.SampledFrom([]Missing{RefuseMissing, ContinueMissing}).Draw(t, "missing"),
			Keep:      some("custom", "other"),
		},
		Namespaces: NamespaceRules{some("pid", "network", "ipc"), some("pid", "network", "ipc")},
		Mounts: MountRules{
			Protect: rules(), Allow: rules(), Sockets: on(), Masked: []ReasonedPath{{"/a", ""}, {"/b", ""}}[:rapid.IntRange(0, 2).Draw(t, "masked")],
			ReadOnly: []ReasonedPath{{"/a", ""}, {"/b", ""}}[:rapid.IntRange(0, 2).Draw(t, "readonly")], TmpOptions: some("noexec", "nosuid"),
			Visible: some("/a", "/b"), WritableOptions: []MountFlag{NoExec, NoSuid}[:rapid.IntRange(0, 2).Draw(t, "writable")], ReadOnlyAt: some("/a", "/b"),
			ProcOptions: []ProcOption{ProcPtraceable, ProcInvisible}[:rapid.IntRange(0, 2).Draw(t, "proc")],
		},
		Others:      rapid.SampledFrom([]Others{OthersAdmit, OthersRefuse}).Draw(t, "others"),
		Restore:     rapid.SampledFrom([]Restore{RestoreAdmit, RestoreRefuse}).Draw(t, "restore"),
		RootFS:      RootFSRules{Allow: some("/x/*", "/y"), ReadOnly: on(), Tmpfs: some("/tmp", "/run"), TmpfsSize: rapid.SampledFrom([]int64{0, 5, 10}).Draw(t, "size")},
		Devices:     DeviceRules{[]DeviceRule{{"c", new(int64(1)), nil, "rw"}, {"c", new(int64(1)), new(int64(3)), "r"}, {"b", nil, nil, "rwm"}}[:rapid.IntRange(0, 3).Draw(t, "devices")]},
		Pids:        PidsRules{limit()},
		Memory:      MemoryRules{limit(), limit()},
		CPU:         CPURules{limit()},
		Sysctls:     SysctlRules{some("net.*", "kernel.x")},
		Hooks:       HookRules{some("/a", "/b"), some("A", "B_*"), some("x", "--y=*"), on()},
		Annotations: AnnotationRules{some("a", "b*")},
		Egress:      EgressRules{Default: verdict(), Allow: some(drawnEntries()...), Deny: some(drawnEntries()...)},
		Ingress:     IngressRules{Default: verdict(), Allow: some(drawnEntries()...)},
		Rate:        RateRules{limit()},
		Prevent:     PreventRules{some("drift", "bpf"), rapid.SampledFrom([]Require{IfAvailable, Always, Never}).Draw(t, "guard")},
		Detect:      DetectRules{Escape: drawAnswers(t), Drift: drawAnswers(t), Flood: drawAnswers(t)},
		Origin:      map[string]string{"pids": "x:1"},
	}
	for _, control := range []string{Capabilities, Mounts, Hooks} {
		p.OnExcess[control] = rapid.SampledFrom([]Excess{Tighten, Refuse}).Draw(t, "excess")
	}
	return p
}

func TestMeetIsNeverWider(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawProfile(t), drawProfile(t)
		m := Meet(a, b)
		for _, name := range slices.Sorted(maps.Keys(orders)) {
			if !orders[name](m, a) || !orders[name](m, b) {
				t.Errorf("%s is wider:\n%+v\nof %+v\nand %+v", name, *m, *a, *b)
			}
		}
	})
}

// HeldTo narrows what exec can be given, and touches nothing else.
func TestHeldToIsNeverWider(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProfile(t)
		spec := &specs.Spec{Process: &specs.Process{
			NoNewPrivileges: rapid.Bool().Draw(t, "noNewPrivileges"),
			User:            specs.User{Umask: rapid.SampledFrom([]*uint32{nil, new(uint32(0o77))}).Draw(t, "umask")},
			Capabilities:    &specs.LinuxCapabilities{Bounding: []string{"cap_kill", "CAP_CHOWN", "CAP_BPF"}[:rapid.IntRange(0, 3).Draw(t, "caps")]},
			OOMScoreAdj:     rapid.SampledFrom([]*int{nil, new(3)}).Draw(t, "oom"),
			Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Hard: 4, Soft: 4}}[:rapid.IntRange(0, 1).Draw(t, "rlimits")],
		}}
		if rapid.IntRange(0, 9).Draw(t, "process") == 0 {
			spec.Process = nil
		}
		was := *p
		m := p.HeldTo(spec)
		if !reflect.DeepEqual(*p, was) {
			t.Errorf("the profile itself was changed")
		}
		for name, order := range orders {
			if !order(m, p) {
				t.Errorf("%s is wider", name)
			}
		}
		rest := *m
		rest.Capabilities.Max, rest.Privilege = p.Capabilities.Max, p.Privilege
		if !reflect.DeepEqual(rest, *p) {
			t.Errorf("another field was changed")
		}
		if spec.Process == nil {
			if len(m.Capabilities.Max) > 0 {
				t.Errorf("capabilities without a process: %v", m.Capabilities.Max)
			}
			return
		}
		for _, c := range m.Capabilities.Max {
			if !slices.ContainsFunc(spec.Process.Capabilities.Bounding, func(b string) bool { return strings.EqualFold(b, c) }) {
				t.Errorf("%s, which the container does not have", c)
			}
		}
		if spec.Process.NoNewPrivileges && !m.Privilege.NoNewPrivileges {
			t.Errorf("noNewPrivileges")
		}
		for _, l := range spec.Process.Rlimits {
			if m.Privilege.Rlimits[l.Type].Max > l.Hard {
				t.Errorf("limit %s", l.Type)
			}
		}
	})
}
