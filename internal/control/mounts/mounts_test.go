package mounts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func profile(t *testing.T, name string) *policy.Profile {
	t.Helper()
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	p := *pol.Profiles["builtin/"+name]
	return &p
}

func able(sources map[string]host.Source) host.Facts {
	return host.Facts{
		Kernel:  host.Kernel{MountSetattr: true},
		Runtime: host.Runtime{MountOptions: []string{"rro", "rnosuid", "rnodev"}},
		Sources: sources,
	}
}

func apply(t *testing.T, p *policy.Profile, f host.Facts, s *specs.Spec) ([]control.Change, []*control.Refusal) {
	t.Helper()
	changes, err := New(p, f).Apply(s)
	refusals, other := control.Refusals(err)
	if other != nil {
		t.Fatal(other)
	}
	again, err := New(p, f).Apply(s)
	if len(again) > 0 {
		t.Errorf("a second time: %v", again)
	}
	if r, _ := control.Refusals(err); len(r) != len(refusals) {
		t.Errorf("a second time: %d refusals, first %d", len(r), len(refusals))
	}
	return changes, refusals
}

func bindSpec(source string, options ...string) *specs.Spec {
	return &specs.Spec{
		Process: &specs.Process{NoNewPrivileges: true},
		Mounts:  []specs.Mount{{Destination: "/x", Type: "bind", Source: source, Options: append([]string{"rbind"}, options...)}},
	}
}

func TestBindSources(t *testing.T) {
	for _, c := range []struct {
		name   string
		source host.Source
		want   string // options, or the start of the reason of the refusal
	}{
		{"a directory of its own", host.Source{Resolved: "/srv/data", Dir: true}, "rbind,rnodev,rnosuid"},
		{"a Docker volume", host.Source{Resolved: "/var/lib/docker/volumes/v/_data", Dir: true}, "rbind,rnodev,rnosuid"},
		{"a program of the host", host.Source{Resolved: "/usr/bin/docker-init"}, "rbind,rro,rnodev,rnosuid"},
		{"the host's root", host.Source{Resolved: "/", Dir: true}, "/ is protected"},
		{"etc", host.Source{Resolved: "/etc", Dir: true}, "/etc is protected"},
		{"below etc", host.Source{Resolved: "/etc/shadow"}, "/etc/shadow reaches /etc"},
		{"above what is protected", host.Source{Resolved: "/var", Dir: true}, "/var reaches /var/lib/docker"},
		{"an exception, read-only", host.Source{Resolved: "/etc/ssl/certs", Dir: true}, "rbind,rro,rnodev,rnosuid"},
		{"the engine's socket", host.Source{Resolved: "/run/docker.sock", Socket: true}, "/run/docker.sock reaches /run"},
		{"a socket elsewhere", host.Source{Resolved: "/srv/app.sock", Socket: true}, "/srv/app.sock is a socket of the host"},
		{"a device elsewhere", host.Source{Resolved: "/srv/null", Device: true}, "/srv/null is a device node"},
		{"another name of etc", host.Source{Resolved: "/mnt/e", Dir: true, Aliases: []string{"/etc"}}, "/mnt/e reaches /etc"},
		{"a directory with etc mounted in it", host.Source{Resolved: "/mnt", Dir: true, Contains: []string{"/etc"}}, "/mnt reaches /etc"},
		{"gone", host.Source{Err: "no such file or directory"}, "its source cannot be examined"},
	} {
		s := bindSpec("/asked")
		_, refusals := apply(t, profile(t, "restricted"), able(map[string]host.Source{"/asked": c.source}), s)
		got := strings.Join(s.Mounts[0].Options, ",")
		if len(refusals) > 0 {
			got = refusals[0].Reason
		}
		if got != c.want && (len(refusals) == 0 || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnexaminedSourceIsRefused(t *testing.T) {
	if _, refusals := apply(t, profile(t, "baseline"), able(nil), bindSpec("/srv")); len(refusals) != 1 {
		t.Error(refusals)
	}
}

// The plain options replace the flags of the mount that the source lies on.
func TestPlainOptionsAreNoTightening(t *testing.T) {
	f := able(map[string]host.Source{"/asked": {Resolved: "/srv/data"}, "/usr": {Resolved: "/usr"}})
	f.Kernel.MountSetattr = false
	s := bindSpec("/asked")
	if _, refusals := apply(t, profile(t, "restricted"), f, s); len(refusals) > 0 || len(s.Mounts[0].Options) != 1 {
		t.Error(s.Mounts, refusals)
	}
	if _, refusals := apply(t, profile(t, "restricted"), f, bindSpec("/usr")); len(refusals) != 1 {
		t.Error("read-only cannot be had, and nobody said so")
	}
}

func TestTightenDropsBindMounts(t *testing.T) {
	p := profile(t, "restricted")
	p.OnExcess = map[string]policy.Excess{policy.Mounts: policy.Tighten}
	s := bindSpec("/asked")
	changes, refusals := apply(t, p, able(map[string]host.Source{"/asked": {Resolved: "/etc"}}), s)
	if len(s.Mounts) != 0 || len(refusals) > 0 || changes[0].Before != "/asked" {
		t.Error(s.Mounts, refusals, changes)
	}
}

func TestFreshMounts(t *testing.T) {
	for _, c := range []struct {
		mount specs.Mount
		want  string // options, "" is refused
	}{
		{specs.Mount{Destination: "/sys", Type: "sysfs", Options: []string{"rw", "nosuid", "noexec", "nodev"}}, "nosuid,noexec,nodev,ro"},
		{specs.Mount{Destination: "/sys2", Type: "sysfs"}, ""},
		{specs.Mount{Destination: "proc", Type: "proc"}, "nosuid,noexec,nodev"},
		{specs.Mount{Destination: "/x/proc", Type: "proc"}, ""},
		{specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Options: []string{"rw"}}, "nosuid,noexec,nodev,ro"},
		{specs.Mount{Destination: "/dev", Type: "tmpfs", Options: []string{"nosuid"}}, "nosuid,noexec"},
		{specs.Mount{Destination: "/tmp", Type: "tmpfs", Options: []string{"exec", "dev", "suid"}}, "nosuid,nodev,noexec"},
		{specs.Mount{Destination: "/data", Type: "tmpfs", Options: []string{"exec"}}, "nosuid,nodev,noexec"},
		{specs.Mount{Destination: "/bin", Type: "tmpfs", Options: []string{"tmpcopyup", "exec"}}, "tmpcopyup,nosuid,nodev,noexec"},
		{specs.Mount{Destination: "/huge", Type: "hugetlbfs"}, "nosuid,nodev,noexec"},
		{specs.Mount{Destination: "/x", Type: "ext4", Source: "/dev/sda1"}, ""},
		{specs.Mount{Destination: "/x", Type: "overlay"}, ""},
		{specs.Mount{Destination: "/x", Type: "debugfs"}, ""},
		{specs.Mount{Destination: "/x", Type: ""}, ""},
	} {
		s := &specs.Spec{Mounts: []specs.Mount{c.mount}}
		_, refusals := apply(t, profile(t, "untrusted"), able(nil), s)
		got := strings.Join(s.Mounts[0].Options, ",")
		if len(refusals) > 0 {
			got = ""
		}
		if got != c.want || c.want == "" && len(refusals) != 1 {
			t.Errorf("%s on %s: %q, want %q", c.mount.Type, c.mount.Destination, got, c.want)
		}
	}
}

func TestPropagation(t *testing.T) {
	s := bindSpec("/asked", "rshared")
	s.Linux = &specs.Linux{RootfsPropagation: "shared"}
	_, refusals := apply(t, profile(t, "baseline"), able(map[string]host.Source{"/asked": {Resolved: "/srv"}}), s)
	if len(refusals) != 2 || refusals[0].Field != "mounts[/x].options" || refusals[1].Field != "linux.rootfsPropagation" {
		t.Error(refusals)
	}
}

// An exception of the administrator's opens the very path with all that is
// protected below; one that was derived, or a pattern, does not.
func TestExceptionForAPathThatHoldsProtectedOnes(t *testing.T) {
	for _, c := range []struct {
		rule policy.PathRule
		src  host.Source
		want bool
	}{
		{policy.PathRule{Path: "/var/log", Access: policy.AccessRO}, host.Source{Resolved: "/var/log"}, true},
		{policy.PathRule{Path: "/", Access: policy.AccessRO}, host.Source{Resolved: "/", Contains: []string{"/etc"}}, true},
		{policy.PathRule{Path: "/", Access: policy.AccessRO}, host.Source{Resolved: "/etc"}, false},
		{policy.PathRule{Path: "/var/log", Access: policy.AccessRO}, host.Source{Resolved: "/var/log/hatchdog"}, false},
		{policy.PathRule{Path: "/var/log", Access: policy.AccessRO}, host.Source{Resolved: "/var"}, false},
		{policy.PathRule{Path: "/var/*", Access: policy.AccessRO}, host.Source{Resolved: "/var/log"}, false},
		{policy.PathRule{Path: "/var/log", Access: policy.AccessRO, Derived: true}, host.Source{Resolved: "/var/log"}, false},
		{policy.PathRule{Path: "/var/log", Access: policy.AccessRO}, host.Source{Resolved: "/var/log", Aliases: []string{"/root/log"}}, false},
	} {
		p := *profile(t, "restricted")
		p.Mounts.Allow = append(slices.Clone(p.Mounts.Allow), c.rule)
		s := bindSpec("/asked", "rbind", "ro")
		_, refusals := apply(t, &p, able(map[string]host.Source{"/asked": c.src}), s)
		if got := len(refusals) == 0; got != c.want {
			t.Errorf("%v for %s: %v", c.rule, c.src.Resolved, refusals)
		}
		note := New(&p, able(map[string]host.Source{"/asked": c.src})).(control.Noter).Note(s)
		if c.want && !strings.Contains(note, "opens what is protected below it: /") {
			t.Errorf("%v: the weakening is not told: %q", c.rule, note)
		}
		if c.want && !slices.Contains(s.Mounts[0].Options, "rro") {
			t.Errorf("%v for %s: not read-only: %v", c.rule, c.src.Resolved, s.Mounts[0].Options)
		}
	}
}

// dockerd hands a part of a volume on under a name of its own in its state.
func TestPartOfAVolume(t *testing.T) {
	for _, c := range []struct {
		src  host.Source
		want bool
	}{
		{host.Source{Resolved: "/var/lib/docker/tmp/safe-mount287", MountPoint: true, Aliases: []string{"/var/lib/docker/volumes/v/_data/sub"}}, true},
		{host.Source{Resolved: "/var/lib/docker/tmp/safe-mount287", MountPoint: true, Aliases: []string{"/var/lib/docker/containers"}}, false},
		{host.Source{Resolved: "/var/lib/docker/tmp/safe-mount287", Aliases: []string{"/var/lib/docker/volumes/v/_data/sub"}}, false},
		{host.Source{Resolved: "/var/lib/docker/tmp/safe-mount287", MountPoint: true}, false},
		{host.Source{Resolved: "/var/lib/docker/tmp/safe-mount287/x", MountPoint: true, Aliases: []string{"/var/lib/docker/volumes/v/_data/sub"}}, false},
		{host.Source{Resolved: "/var/lib/docker/tmp/build", MountPoint: true, Aliases: []string{"/var/lib/docker/volumes/v/_data/sub"}}, false},
		{host.Source{Resolved: "/etc/tmp/safe-mount1", MountPoint: true, Aliases: []string{"/etc/x"}}, false},
	} {
		s := bindSpec("/asked", "rbind")
		_, refusals := apply(t, profile(t, "restricted"), able(map[string]host.Source{"/asked": c.src}), s)
		if got := len(refusals) == 0; got != c.want {
			t.Errorf("%+v: %v", c.src, refusals)
		}
	}
}

// The device nodes that every container has are admitted under any name, and
// the host's stay as they are.
func TestOrdinaryDeviceUnderAnotherName(t *testing.T) {
	for node, want := range map[host.Node]bool{
		{Type: "c", Major: 1, Minor: 3}: true, {Type: "c", Major: 1, Minor: 9}: true,
		{Type: "c", Major: 1, Minor: 1}: false, {Type: "b", Major: 1, Minor: 3}: false, {Type: "c", Major: 5, Minor: 1}: false, {}: false,
	} {
		s := bindSpec("/asked", "rbind")
		_, refusals := apply(t, profile(t, "restricted"), able(map[string]host.Source{"/asked": {Resolved: "/dev/x", Device: true, Node: node}}), s)
		if got := len(refusals) == 0; got != want {
			t.Errorf("%+v: %v", node, refusals)
		}
		if want && !slices.Contains(s.Mounts[0].Options, "rro") {
			t.Errorf("%+v: the host's node can be changed: %v", node, s.Mounts[0].Options)
		}
	}
}

func TestReadOnlyRoot(t *testing.T) {
	s := &specs.Spec{Root: &specs.Root{Path: "r"}, Mounts: []specs.Mount{
		{Destination: "/run/lock", Type: "tmpfs"},
		{Destination: "/tmp/", Type: "tmpfs", Options: []string{"size=1k"}},
	}}
	apply(t, profile(t, "untrusted"), able(nil), s)
	var order []string
	for _, m := range s.Mounts {
		order = append(order, m.Destination)
	}
	if got := strings.Join(order, " "); !s.Root.Readonly || got != "/run /run/lock /tmp/ /var/tmp /var/cache /var/log" {
		t.Error(s.Root.Readonly, got)
	}
	if o := strings.Join(s.Mounts[0].Options, ","); o != "nosuid,nodev,tmpcopyup,noexec,size=67108864" {
		t.Error(o)
	}
}

// Every real spec ends with the whole list of masked and read-only paths, and
// loses none that it had.
func TestPathsAreComplete(t *testing.T) {
	files, err := filepath.Glob("../../../integration/testdata/specs/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no captured specs", err)
	}
	p := profile(t, "baseline")
	for _, file := range files {
		if strings.Contains(file, "exec") {
			continue
		}
		var s, before specs.Spec
		raw, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(raw, &s) != nil || json.Unmarshal(raw, &before) != nil {
			t.Fatal(file, err)
		}
		apply(t, p, able(nil), &s)
		for _, want := range p.Mounts.Masked {
			if !strings.Contains(want.Path, "*") && !slices.Contains(s.Linux.MaskedPaths, want.Path) {
				t.Errorf("%s: %s is not masked", file, want.Path)
			}
		}
		for _, had := range before.Linux.MaskedPaths {
			if !slices.Contains(s.Linux.MaskedPaths, had) {
				t.Errorf("%s: lost %s", file, had)
			}
		}
		for _, want := range p.Mounts.ReadOnly {
			if !slices.Contains(s.Linux.ReadonlyPaths, want.Path) {
				t.Errorf("%s: %s is not read-only", file, want.Path)
			}
		}
	}
}
