package learn

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/seccomp"
)

var began = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

func seen(by string) Seen { return Seen{3, began, began.Add(time.Minute), [2]string{by, by}} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wish(grant ...string) Wish { return Wish{Name: "web", Native: specs.ArchX86_64, Grant: grant} }

func web() *Data {
	d := New()
	d.Runs, d.Containers, d.Pids, d.Memory, d.Files = 2, []string{"a", "b"}, 5, 100<<20, 20
	for _, call := range []string{"openat", "accept4", "bind", "listen", "epoll_wait", "sendfile", "socket 0x100000002", "clone 0x0"} {
		d.add(d.Calls, call, seen("nginx"))
	}
	d.add(d.Capabilities, "CAP_SETUID", seen("nginx"))
	d.add(d.Listens, "0.0.0.0:80/tcp", seen("nginx"))
	d.add(d.Reaches, "10.1.2.3:5432/tcp", seen("nginx"))
	d.add(d.Writes, "/run", seen("nginx"))
	d.Mounts = map[string]int{"/data": 2, "/conf": 2}
	d.add(d.Volumes, "/data", seen("nginx"))
	return d
}

func profileOf(t testing.TB, d *Data, grant ...string) (*policy.Profile, string) {
	t.Helper()
	p, err := d.Write(wish(grant...))
	must(t, err)
	text, err := p.Policy()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	pol, err := policy.Default()
	must(t, err)
	pol, err = pol.Before("learned", text)
	must(t, err)
	return pol.Profiles["learned-web"], string(text)
}

func TestPolicyIsWhatWasSeen(t *testing.T) {
	p, text := profileOf(t, web())
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"capabilities", p.Capabilities.Max, []string{"CAP_SETUID"}},
		{"ingress", p.Ingress.Allow, []string{"0.0.0.0/0:80/tcp"}},
		{"egress", p.Egress.Allow, []string{"10.1.2.3:5432/tcp"}},
		{"tmpfs", p.RootFS.Tmpfs, []string{"/run"}},
		{"pids", *p.Pids.Max, int64(26)},
		{"memory", *p.Memory.Max, int64(214 << 20)},
		{"files", p.Privilege.Rlimits["RLIMIT_NOFILE"], policy.RlimitRule{Max: 1024, Force: true}},
		{"core files, inherited", p.Privilege.Rlimits["RLIMIT_CORE"].Force, true},
	} {
		got, _ := json.Marshal(c.got)
		want, _ := json.Marshal(c.want)
		if string(got) != string(want) {
			t.Errorf("%s: %s, want %s", c.what, got, want)
		}
	}
	if !p.RootFS.ReadOnly || !slices.Contains(p.Mounts.ReadOnlyAt, "/conf") || slices.Contains(p.Mounts.ReadOnlyAt, "/data") {
		t.Errorf("%v %v", p.RootFS, p.Mounts.ReadOnlyAt)
	}
	for call, denied := range map[string]bool{"semget": true, "openat": false, "openat2": false, "epoll_pwait": false, "execve": false, "clone3": false, "connect": true} {
		if slices.Contains(p.Seccomp.Deny, call) != denied {
			t.Errorf("%s is denied: %v", call, !denied)
		}
	}
	for _, want := range []string{`3 times, 2026-11-01T10:00:00Z to 2026-11-01T10:01:00Z, by "nginx"`, "margin: twice as many"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What an attacker may have done to have it learned is told apart, and granted only
// by name.
func TestWhatIsBeyondTheBaseIsNotGranted(t *testing.T) {
	d := web()
	for _, call := range []string{"bpf", "mount", "ptrace", "unshare 0x10000000", "clone 0x10000000", "ioctl 0x5412", "socket 0x300000026", "io_uring_setup"} {
		d.add(d.Calls, call, seen("evil"))
	}
	for _, c := range []string{"CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_BPF", "CAP_NET_BIND_SERVICE"} {
		d.add(d.Capabilities, c, seen("evil"))
	}
	for _, a := range []string{"169.254.169.254:80/tcp", "172.17.0.1:2375/tcp", "[fd00:ec2::254]:80/tcp", "[::ffff:169.254.169.254]:80/tcp"} {
		d.add(d.Reaches, a, seen("evil"))
	}
	d.HostAddresses["172.17.0.1"] = true
	p, text := profileOf(t, d)
	if len(p.Capabilities.Max) != 1 || len(p.Seccomp.Allow) != 0 || len(p.Egress.Allow) != 1 {
		t.Errorf("granted: %v %v %v", p.Capabilities.Max, p.Seccomp.Allow, p.Egress.Allow)
	}
	head, _, _ := strings.Cut(text, "version: 1")
	for _, want := range []string{`"bpf"`, `"mount"`, `"ptrace"`, `"clone 0x10000000"`, `"CAP_SYS_ADMIN"`, `"169.254.169.254:80/tcp"`, `"172.17.0.1:2375/tcp"`, "Not granted: review"} {
		if !strings.Contains(head, want) {
			t.Errorf("%s is not told:\n%s", want, head)
		}
	}
	p, _ = profileOf(t, d, "CAP_NET_BIND_SERVICE", "ptrace")
	if !slices.Contains(p.Capabilities.Max, "CAP_NET_BIND_SERVICE") || !slices.Equal(p.Seccomp.Allow, []string{"ptrace"}) {
		t.Errorf("%v %v", p.Capabilities.Max, p.Seccomp.Allow)
	}
	if _, err := d.Write(wish("ptrace]\nx: y")); err == nil {
		t.Error("a grant that is no name")
	}
}

// hostile is text that would end a comment or a string.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"x\n    capabilities: {max: [CAP_SYS_ADMIN]}", "x\r\n  evil: {extends: builtin/baseline}", "\u2028mode: complain", "\u0085rules: []", "\u202eevil",
			"\x1b]0;x\a", `"`, `\`, "*/", "# x", "]", "- x", "{}", "\x00", "\xff\xfe", strings.Repeat("A", 5000), "a: b", "---\nversion: 1", "%YAML 1.1", "!!binary x", "&a", "*a",
			"CAP_SYS_ADMIN", "bpf", "/etc/../tmp", "169.254.169.254:80/tcp", "0.0.0.0/0", "*.com", "evil.com\n:443", "c 1:3 rw\n",
		}),
		rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom(seccomp.Calls()),
	)
}

// Nothing that a container can choose makes a profile grant more than the one that
// it extends, or say anything that was not meant.
func TestNoTextOfAContainerIsPolicy(t *testing.T) {
	pol, err := policy.Default()
	must(t, err)
	ceiling := pol.Profiles["builtin/restricted"]
	rapid.Check(t, func(t *rapid.T) {
		d := New()
		d.Runs = 1
		text := hostile()
		for _, table := range d.tables() {
			for range rapid.IntRange(0, 4).Draw(t, "n") {
				d.add(*table, text.Draw(t, "key"), Seen{1, began, began, [2]string{text.Draw(t, "by"), text.Draw(t, "by")}})
			}
		}
		d.add(d.Reaches, "10.0.0.1:443/tcp", seen(text.Draw(t, "by")))
		d.Named("10.0.0.1", text.Draw(t, "name"))
		d.Mounts[text.Draw(t, "mount")]++
		d.HostAddresses[text.Draw(t, "host")] = true
		d.Note(text.Draw(t, "note"))
		raw, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if d, err = Decode(raw); err != nil {
			t.Fatal(err)
		}
		p, err := d.Write(wish())
		if err != nil {
			t.Fatal(err)
		}
		written, err := p.Policy()
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		for _, b := range written {
			if b > '~' || b < ' ' && b != '\n' {
				t.Fatalf("%q in\n%s", b, written)
			}
		}
		with, err := pol.Before("learned", written)
		if err != nil {
			t.Fatal(err)
		}
		got := with.Profiles["learned-web"]
		for _, c := range got.Capabilities.Max {
			if !slices.Contains(ceiling.Capabilities.Max, c) {
				t.Fatalf("grants %s", c)
			}
		}
		met := policy.Meet(got, ceiling)
		if len(got.Seccomp.Allow) > 0 || met.Seccomp.Table != got.Seccomp.Table || with.Mode != pol.Mode || len(with.Rules) > 0 {
			t.Fatalf("wider:\n%s", written)
		}
		for _, f := range []func() ([]byte, error){p.Seccomp, p.Apparmor, p.NetworkPolicy} {
			out, err := f()
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range out {
				if b > '~' || b < ' ' && b != '\n' {
					t.Fatalf("%q in\n%s", b, out)
				}
			}
		}
	})
}

// A file whose name is a pattern grants itself at most.
func TestNamesOfFilesAreNoPatterns(t *testing.T) {
	d := web()
	for _, name := range []string{"/tmp/**", "/**", "/usr/bin/*", "/tmp/{a,b}", "/tmp/[a-z]", "/tmp/@{HOME}", "/"} {
		d.add(d.Programs, name, seen("sh"))
		d.add(d.Writes, name, seen("sh"))
		d.add(d.Volumes, name, seen("sh"))
	}
	d.add(d.Programs, "/usr/bin/nginx", seen("sh"))
	p, err := d.Write(wish())
	must(t, err)
	out, err := p.Apparmor()
	must(t, err)
	var rules []string
	for line := range strings.Lines(string(out)) {
		if rule, _, evident := strings.Cut(strings.TrimSpace(line), ", # "); evident && strings.HasPrefix(rule, "/") {
			rules = append(rules, rule)
		}
	}
	if want := []string{"/usr/bin/nginx ix", "/run/** w", "/data/** w"}; !slices.Equal(rules, want) {
		t.Errorf("%q", rules)
	}
}

// The filter for other tools admits no arguments that the table does not.
func TestFilterIsNoWiderThanTheTable(t *testing.T) {
	d := web()
	for _, call := range []string{"personality 0x0", "unshare 0x0", "prctl 0x1", "ioctl 0x5401"} {
		d.add(d.Calls, call, seen("nginx"))
	}
	p, err := d.Write(wish())
	must(t, err)
	raw, err := p.Seccomp()
	must(t, err)
	var s specs.LinuxSeccomp
	must(t, json.Unmarshal(raw, &s))
	s.Architectures = []specs.Arch{specs.ArchX86_64}
	f, err := seccomp.Parse(&s)
	must(t, err)
	for _, c := range []struct {
		name string
		args [6]uint64
		want bool
	}{
		{"openat", [6]uint64{}, true},
		{"socket", [6]uint64{2, 1}, true},
		{"socket", [6]uint64{40, 1}, false}, // AF_VSOCK
		{"socket", [6]uint64{38, 5}, false}, // AF_ALG
		{"clone", [6]uint64{}, true},
		{"clone", [6]uint64{0x10000000}, false}, // CLONE_NEWUSER
		{"personality", [6]uint64{}, true},
		{"personality", [6]uint64{0x400000}, false}, // READ_IMPLIES_EXEC
		{"ioctl", [6]uint64{0, 0x5401}, true},
		{"ioctl", [6]uint64{0, 0x5412}, false}, // TIOCSTI
		{"mount", [6]uint64{}, false},
	} {
		got := f.Evaluate(seccomp.Call{Name: c.name, Arch: specs.ArchX86_64, Args: c.args}, specs.ArchX86_64)
		if allowed := got.Action.Executes(); allowed != c.want {
			t.Errorf("%s %#x: %v", c.name, c.args, allowed)
		}
	}
}

func TestMergeAddsRuns(t *testing.T) {
	a, b := web(), New()
	b.Runs, b.Pids = 1, 9
	b.Containers = []string{"b", "c"}
	b.add(b.Calls, "openat", Seen{4, began.Add(-time.Hour), began, [2]string{"sh", "sh"}})
	b.add(b.Calls, "semget", seen("x"))
	b.Mounts["/data"] = 1
	a.Merge(b)
	if s := a.Calls["openat"]; s.Count != 7 || s.By != [2]string{"sh", "nginx"} || !s.First.Equal(began.Add(-time.Hour)) {
		t.Errorf("%+v", s)
	}
	if a.Runs != 3 || a.Pids != 9 || len(a.Containers) != 3 || a.Calls["semget"].Count != 3 || a.Mounts["/data"] != 3 {
		t.Errorf("%+v", a)
	}
}

func TestRecordingIsBounded(t *testing.T) {
	d := New()
	for i := range kindsMost + 100 {
		d.add(d.Programs, strings.Repeat("x", 300)+string(rune(i)), seen("x"))
		d.add(d.Writes, "/"+strings.Repeat("y", i%200)+string(rune('a'+i/200)), seen("x"))
	}
	for i := range kindsMost * 2 {
		d.add(d.Volumes, strings.Repeat("v", 10)+string(rune(i)), seen("x"))
	}
	if len(d.Programs) != 1 || len(d.Volumes) > kindsMost || d.Lost == 0 {
		t.Errorf("%d %d %d", len(d.Programs), len(d.Volumes), d.Lost)
	}
	if p, _ := profileOf(t, d); p.RootFS.ReadOnly {
		t.Error("a recording that is not whole makes the root read-only")
	}
}

func TestPlace(t *testing.T) {
	mounts := []Mount{{"/", 7}, {"/data", 8}, {"/data/in", 9}, {"/etc/hosts", 8}, {"/other", 8}}
	for _, c := range []struct {
		text          string
		device        uint64
		mount, below_ string
	}{
		{"/tmp/x", 7, "/", "/tmp/x"},
		{"/var/run/x.pid", 7, "/", "/run/x.pid"},
		{"x", 7, "/", ""},
		{"/data/x", 8, "/data", "/data/x"},
		{"/data/in/x", 0, "/data/in", "/data/in/x"},
		{"/data/in/x", 9, "/data/in", "/data/in/x"},
		{"/link/x", 9, "/data/in", ""},
		{"x", 99, "", ""},
		{"x", 8, "/data /other", ""}, // as programs write where they work
		{"hosts", 8, "/data /etc/hosts /other", ""},
		{"", 0, "", ""},
		{"../../etc", 0, "", ""},
		{"/tmp/../data/x", 0, "/data", "/data/x"},
	} {
		mount, below := Place(mounts, c.text, c.device)
		if strings.Join(mount, " ") != c.mount || below != c.below_ {
			t.Errorf("%s %d: %q %q", c.text, c.device, mount, below)
		}
	}
}

// A program that writes by a relative path keeps its volume, whichever of the mounts of
// one file system that is.
func TestVolumesThatAreWrittenByRelativePathsStayOpen(t *testing.T) {
	d := web()
	d.Mounts = map[string]int{"/srv/data": 1, "/etc/resolv.conf": 1, "/conf": 1}
	w := World{Mounts: []Mount{{"/", 7}, {"/srv/data", 8}, {"/etc/resolv.conf", 8}, {"/conf", 9}}}
	d.Add(probe.Entry{Kind: probe.KindWrite, Text: "asked", Arg: 8, Count: 1, First: began, Last: began}, w)
	profile, text := profileOf(t, d)
	if slices.Contains(profile.Mounts.ReadOnlyAt, "/srv/data") || !slices.Contains(profile.Mounts.ReadOnlyAt, "/etc/resolv.conf") || !slices.Contains(profile.Mounts.ReadOnlyAt, "/conf") {
		t.Errorf("%v:\n%s", profile.Mounts.ReadOnlyAt, text)
	}
}

func TestEntries(t *testing.T) {
	d := New()
	w := World{
		Calls: map[int]string{1: "socket", 2: "openat"}, Capabilities: map[uint64]string{21: "CAP_SYS_ADMIN"}, Mounts: []Mount{{"/", 7}, {"/v", 8}},
		Host: func(a netip.Addr) bool { return a.String() == "10.9.9.9" },
	}
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	for _, e := range []probe.Entry{
		{Kind: probe.KindCall, What: 1, Arg: 2 | 1<<16},
		{Kind: probe.KindCall, What: 1, Arg: probe.OtherArgs},
		{Kind: probe.KindCall, What: 2},
		{Kind: probe.KindCall, What: 400},
		{Kind: probe.KindCapability, What: 21},
		{Kind: probe.KindCapability, What: 63},
		{Kind: probe.KindProgram, Text: "/bin/x\n"},
		{Kind: probe.KindDevice, What: 1<<20 | 3, Arg: 2},
		{Kind: probe.KindWrite, Text: "/v/a", Arg: 8},
		{Kind: probe.KindWrite, Text: "/a/b", Arg: 7},
		{Kind: probe.KindListen, Address: at("0.0.0.0:80"), Arg: 1},
		{Kind: probe.KindReach, Address: at("10.9.9.9:53"), Arg: 2},
		{Kind: probe.KindReach, Address: at("[fe80::1%evil\n]:53"), Arg: 2},
		{Kind: probe.KindReach, Address: at("10.9.9.9:53"), Arg: 3},
	} {
		e.Count, e.First, e.Last = 1, began, began
		d.Add(e, w)
	}
	got, _ := json.Marshal([]any{sorted(d.Calls), sorted(d.Capabilities), sorted(d.Devices), sorted(d.Volumes), sorted(d.Writes), sorted(d.Listens), sorted(d.Reaches), d.HostAddresses, d.Notes})
	const want = `[["openat","socket 0x10002","socket other"],["CAP_SYS_ADMIN"],["c 1:3 rw"],["/v"],["/a"],["0.0.0.0:80/tcp"],["10.9.9.9:53/udp","[fe80::1]:53/udp"],{"10.9.9.9":true},["sockets that are neither TCP nor UDP were used: their addresses are not learned"]]`
	if string(got) != want {
		t.Errorf("%s", got)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"web": "web", "ns/pod/C": "ns-pod-c", "": "workload", "../../x": "x", "é": "workload", strings.Repeat("a", 99): strings.Repeat("a", 48)} {
		if got := NameFor(in); got != want || CheckName(got) != nil {
			t.Errorf("%q: %q", in, got)
		}
	}
	for _, bad := range []string{"", "../x", "a/b", "A", "-x", "a\nb", strings.Repeat("a", 64)} {
		if CheckName(bad) == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

func TestVerifyTellsWhatIsDenied(t *testing.T) {
	first := web()
	p, err := first.Write(wish())
	must(t, err)
	if denied, err := p.Denied(first, wish()); err != nil || len(denied) > 0 {
		t.Errorf("what was learned is denied: %v, %v", denied, err)
	}
	d := web()
	d.add(d.Calls, "semget", seen("x"))
	d.add(d.Calls, "mount", seen("x"))
	d.add(d.Capabilities, "CAP_CHOWN", seen("x"))
	d.add(d.Reaches, "10.1.2.4:5432/tcp", seen("x"))
	d.add(d.Listens, "0.0.0.0:81/tcp", seen("x"))
	d.add(d.Writes, "/etc", seen("x"))
	d.add(d.Volumes, "/conf", seen("x"))
	d.Pids = 1000
	denied, err := p.Denied(d, wish())
	must(t, err)
	var all []string
	for _, l := range denied {
		all = append(all, l.Value)
	}
	want := []string{"the call mount", "the call semget", "the capability CAP_CHOWN", `writing in "/etc"`, `writing in "/conf"`, "reaching 10.1.2.4:5432/tcp", "listening on 0.0.0.0:81/tcp", "1000 processes"}
	if !slices.Equal(all, want) {
		t.Errorf("%q", all)
	}
}
