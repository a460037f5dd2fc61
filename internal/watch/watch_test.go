package watch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/probe"
)

var (
	began = time.Unix(1_000_000, 0)
	ours  = Host{Spaces: Spaces{"mnt": 1, "user": 2, "pid": 3, "net": 4, "ipc": 5, "uts": 6, "cgroup": 7}, Root: Place{10, 2}}
)

func container() *Container {
	return &Container{
		Began: began, Spaces: Spaces{"mnt": 11, "user": 12, "pid": 13, "net": 14, "ipc": 15, "uts": 16, "cgroup": 17}, Root: Place{20, 5},
		RootMount: 100, Given: &lowlevel.Given{NoNewPrivileges: true, MaskedPaths: []string{"/proc/keys"}, Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_KILL"}}},
		Mounts: map[int]Mount{
			100: {At: "/", Type: "overlay"}, 101: {At: "/vol", Type: "ext4"}, 102: {At: "/ro", Type: "ext4", ReadOnly: true}, 103: {At: "/dev/shm", Type: "tmpfs"},
		},
	}
}

func executed(f probe.File) probe.Sight {
	return probe.Sight{Kind: probe.SawExec, Path: "/bin/x", Command: "x", Mount: 11, User: 12, UID: 7, OldUID: 7, RootDev: 20, RootIno: 5, File: f}
}

func TestDriftByWhereAProgramIs(t *testing.T) {
	early, late := began.Add(-time.Hour), began.Add(time.Second)
	for _, c := range []struct {
		name string
		file probe.File
		want Severity // "" is none
		says string
	}{
		{"image, overlay", probe.File{Name: "x", Magic: magicOverlay, MountID: 100, Links: 1, Changed: early}, "", ""},
		{"image, overlay, its times say nothing", probe.File{Name: "x", Magic: magicOverlay, MountID: 100, Links: 1, Changed: late}, "", ""},
		{"writable layer", probe.File{Name: "x", Magic: magicOverlay, MountID: 100, Links: 1, Changed: late, Upper: true}, High, "layer"},
		{"writable layer of before a restart", probe.File{Name: "x", Magic: magicOverlay, MountID: 100, Links: 1, Changed: early, Upper: true}, High, "layer"},
		{"image, a directory", probe.File{Name: "x", Magic: 0xef53, MountID: 100, Links: 1, Changed: early}, "", ""},
		{"changed in a directory", probe.File{Name: "x", Magic: 0xef53, MountID: 100, Links: 1, Changed: late}, High, "changed after"},
		{"deleted", probe.File{Name: "x", Magic: 0xef53, MountID: 100, Changed: early}, High, "deleted"},
		{"deleted in the layer", probe.File{Name: "x", Magic: magicOverlay, MountID: 100, Upper: true}, High, "layer"},
		{"memfd", probe.File{Name: "memfd:x", Magic: magicTmpfs, MountID: 7, Links: 1}, High, "memory alone"},
		{"a file that is called memfd", probe.File{Name: "memfd:x", Magic: magicOverlay, MountID: 100, Links: 1}, "", ""},
		{"memory", probe.File{Name: "x", Magic: magicTmpfs, MountID: 103, Links: 1, Changed: late}, High, "/dev/shm"},
		{"volume", probe.File{Name: "x", Magic: 0xef53, MountID: 101, Links: 1, Changed: early}, Medium, "volume at /vol"},
		{"changed on a volume", probe.File{Name: "x", Magic: 0xef53, MountID: 101, Links: 1, Changed: late}, High, "volume at /vol, and was changed"},
		{"read-only volume", probe.File{Name: "x", Magic: 0xef53, MountID: 102, Links: 1, Changed: late}, "", ""},
		{"a mount of its own", probe.File{Name: "x", Magic: 0xef53, Dev: 99, MountID: 999, Links: 1, Changed: early}, High, "made"},
		{"a read-only mount of its own", probe.File{Name: "x", Magic: magicTmpfs, Dev: 99, MountID: 998, Links: 1}, High, "made"},
		{"a mount of its own of the image", probe.File{Name: "x", Magic: magicOverlay, Dev: 20, MountID: 999, Links: 1, Changed: early}, "", ""},
	} {
		c0 := container()
		all := c0.Exec(executed(c.file), ours)
		switch {
		case c.want == "" && len(all) > 0, c.want != "" && len(all) != 1:
			t.Errorf("%s: %+v", c.name, all)
		case c.want != "" && (all[0].Kind != Drift || all[0].Severity != c.want || !strings.Contains(all[0].What, c.says)):
			t.Errorf("%s: %+v", c.name, all[0])
		}
	}
}

func TestEscapeAndSetuid(t *testing.T) {
	image := probe.File{Name: "x", Magic: magicOverlay, MountID: 100, Links: 1, Mode: 0o104755}
	for _, c := range []struct {
		name string
		edit func(*probe.Sight, *Container)
		kind Kind
		says string
	}{
		{"its own", func(*probe.Sight, *Container) {}, "", ""},
		{"mounts", func(s *probe.Sight, _ *Container) { s.Mount = 1 }, Escape, "mnt namespace"},
		{"users", func(s *probe.Sight, _ *Container) { s.User = 2 }, Escape, "user namespace"},
		{"users that are the host's anyway", func(s *probe.Sight, c *Container) { s.User, c.Spaces["user"] = 2, 2 }, "", ""},
		{"root", func(s *probe.Sight, _ *Container) { s.RootDev, s.RootIno = 10, 2 }, Escape, "root directory"},
		{"a root on the host's own file system", func(s *probe.Sight, c *Container) { s.RootDev, s.RootIno, c.Root.Dev = 10, 77, 10 }, "", ""},
		{"mounts, where its first process has the host's", func(s *probe.Sight, c *Container) { s.Mount, c.Spaces["mnt"] = 1, 1 }, Escape, "mnt namespace"},
		{"mounts of its own", func(s *probe.Sight, _ *Container) { s.Mount = 888 }, "", ""},
		{"another effective user of before", func(s *probe.Sight, _ *Container) { s.UID, s.File.Mode = 0, 0o755 }, "", ""},
		{"setuid", func(s *probe.Sight, _ *Container) { s.UID = 0 }, Setuid, "no_new_privs"},
		{"setuid that it may", func(s *probe.Sight, c *Container) { s.UID, c.Given.NoNewPrivileges = 0, false }, Setuid, "setuid bit"},
	} {
		s, c0 := executed(image), container()
		c.edit(&s, c0)
		all := c0.Exec(s, ours)
		if c.kind == "" && len(all) > 0 || c.kind != "" && (len(all) != 1 || all[0].Kind != c.kind || !strings.Contains(all[0].What, c.says)) {
			t.Errorf("%s: %+v", c.name, all)
		}
	}
}

func TestCalls(t *testing.T) {
	other := func(int, int) bool { return false }
	for _, c := range []struct {
		name  string
		sight probe.Sight
		same  func(int, int) bool
		kind  Kind
		level Severity
	}{
		{"mount", probe.Sight{Call: probe.CallMount, Path: "/mnt"}, nil, Calls, High},
		{"unshare", probe.Sight{Call: probe.CallUnshare}, nil, Calls, Medium},
		{"bpf", probe.Sight{Call: probe.CallBPF}, nil, Calls, High},
		{"module", probe.Sight{Call: probe.CallFinitModule}, nil, Calls, Critical},
		{"by handle", probe.Sight{Call: probe.CallOpenByHandle}, nil, Calls, High},
		{"core_pattern", probe.Sight{Call: probe.CallOpenat, Return: 3, File: probe.File{Name: "core_pattern", Parent: "kernel", GrandParent: "sys"}}, nil, Kernel, Critical},
		{"release_agent", probe.Sight{Call: probe.CallOpen, Return: 3, File: probe.File{Name: "release_agent", Parent: "rdma"}}, nil, Kernel, Critical},
		{"uevent_helper", probe.Sight{Call: probe.CallOpenat2, Return: 3, File: probe.File{Name: "uevent_helper"}}, nil, Kernel, Critical},
		{"sysrq-trigger", probe.Sight{Call: probe.CallCreat, Return: 3, File: probe.File{Name: "sysrq-trigger"}}, nil, Kernel, Critical},
		{"disk", probe.Sight{Call: probe.CallOpenat, Return: 3, File: probe.File{Name: "sda", Mode: 0o060660}}, nil, Kernel, High},
		{"its own score", probe.Sight{Call: probe.CallOpenat, Return: 3, File: probe.File{Name: "oom_score_adj", Parent: "self"}}, nil, "", ""},
		{"a name in another place", probe.Sight{Call: probe.CallOpenat, Return: 3, File: probe.File{Name: "core_pattern", Parent: "net"}}, nil, "", ""},
		{"tried", probe.Sight{Call: probe.CallOpenat, Return: -30, Path: "/proc/sys/kernel/core_pattern"}, nil, Kernel, Medium},
		{"tried what is masked", probe.Sight{Call: probe.CallOpenat, Return: -13, Path: "/proc/../proc/keys"}, nil, Kernel, Medium},
		{"tried a file of its own", probe.Sight{Call: probe.CallOpenat, Return: -30, Path: "/etc/core_pattern"}, nil, "", ""},
		{"docker.sock", probe.Sight{Call: probe.CallConnect, Path: "/var/run/docker.sock"}, nil, Sockets, Critical},
		{"docker.sock, refused", probe.Sight{Call: probe.CallConnect, Return: -13, Path: "/var/run/docker.sock"}, nil, Sockets, Medium},
		{"its own socket", probe.Sight{Call: probe.CallConnect, Path: "/run/postgresql/.s.PGSQL.5432"}, nil, "", ""},
		{"traces its own", probe.Sight{Call: probe.CallPtrace, Args: [6]uint64{ptraceAttach, 5}}, nil, "", ""},
		{"traces another's", probe.Sight{Call: probe.CallPtrace, Args: [6]uint64{ptraceSeize, 5}}, other, Trace, High},
		{"goes on tracing", probe.Sight{Call: probe.CallPtrace, Args: [6]uint64{7, 5}}, other, "", ""},
		{"reads another's memory", probe.Sight{Call: probe.CallVMRead, Args: [6]uint64{5}}, other, Trace, High},
	} {
		c.sight.Mount, c.sight.User, c.sight.RootDev = 11, 12, 20
		all := container().Call(c.sight, ours, c.same)
		if c.kind == "" && len(all) > 0 || c.kind != "" && (len(all) != 1 || all[0].Kind != c.kind || all[0].Severity != c.level || all[0].Technique == "") {
			t.Errorf("%s: %+v", c.name, all)
		}
	}
}

func TestCapability(t *testing.T) {
	c, number := container(), func(n string) (int, bool) { return map[string]int{"CAP_CHOWN": 0, "CAP_KILL": 5}[n], true }
	if got := c.Mask(number); got != 1|1<<5 {
		t.Errorf("%x", got)
	}
	c.Given.Capabilities = nil
	if got := c.Mask(number); got != ^uint64(0) {
		t.Errorf("of a container that nothing is known of: %x", got)
	}
	if f := c.Capability(probe.Sight{CapabilitySpc: 12}, ours, "CAP_X"); f[0].Kind != Capability {
		t.Errorf("%+v", f)
	}
	if f := c.Capability(probe.Sight{CapabilitySpc: 2}, ours, "CAP_X"); f[0].Kind != Escape {
		t.Errorf("%+v", f)
	}
}

func noted(addr string, port uint16, packets uint64) firewall.Noted {
	return firewall.Noted{Addr: netip.MustParseAddr(addr), Proto: "tcp", Port: port, Packets: packets}
}

func TestDropped(t *testing.T) {
	layers := []firewall.Layer{{Name: "out"}}
	d := &Dropped{}
	look := func(rules bool, all ...firewall.Noted) []Kind {
		r := firewall.Report{Noted: all}
		if rules {
			r.Layers = layers
		}
		var kinds []Kind
		for _, f := range d.Look(r) {
			kinds = append(kinds, f.Kind)
		}
		return kinds
	}
	var scan []firewall.Noted
	for i := range manyDestinations {
		scan = append(scan, noted("10.0.0.1", uint16(i+1), 1))
	}
	for i, c := range []struct {
		rules bool
		all   []firewall.Noted
		want  []Kind
	}{
		{true, []firewall.Noted{noted("169.254.169.254", 80, 4)}, nil}, // before the watch began
		{true, []firewall.Noted{noted("169.254.169.254", 80, 4)}, nil},
		{true, []firewall.Noted{noted("169.254.169.254", 80, 5)}, []Kind{Metadata}},
		{true, []firewall.Noted{noted("169.254.169.254", 80, 2)}, []Kind{Metadata}}, // counted anew
		{true, []firewall.Noted{noted("10.1.1.1", 80, 3)}, nil},
		{true, []firewall.Noted{noted("10.1.1.1", 80, 3+manyPackets)}, []Kind{Network}},
		{true, scan, []Kind{Network}},
		{true, scan, nil},
		{true, []firewall.Noted{{Inbound: true, Addr: netip.MustParseAddr("169.254.169.254"), Packets: 1000}}, nil},
		{false, nil, []Kind{Gone}},
		{false, nil, nil},
	} {
		if got := look(c.rules, c.all...); !slices.Equal(got, c.want) {
			t.Errorf("step %d: %v, want %v", i, got, c.want)
		}
	}
}

func TestLabel(t *testing.T) {
	for _, c := range []struct {
		want, has string
		gone      bool
	}{
		{"hatchdog-restricted", "hatchdog-restricted (enforce)", false},
		{"hatchdog-restricted", "hatchdog-restricted", false},
		{"", "unconfined", false},
		{"hatchdog-restricted", "", false},
		{"hatchdog-restricted", "unconfined", true},
		{"hatchdog-restricted", "hatchdog-restricted (complain)", true},
	} {
		if _, gone := Label(c.want, c.has); gone != c.gone {
			t.Errorf("%q %q: %v", c.want, c.has, gone)
		}
	}
}

// The same event is told at 1, 10, 100; one container has no more lines than its own,
// and an escape is told all the same.
func TestLedger(t *testing.T) {
	var l Ledger
	now := began
	var told []uint64
	for range 250 {
		if n, ok := l.Count("a", found(Drift, High, "", "x", ""), now); ok {
			told = append(told, n)
		}
	}
	if !slices.Equal(told, []uint64{1, 10, 100}) {
		t.Errorf("told at %v", told)
	}
	lines := 0
	for i := range 100_000 {
		if _, ok := l.Count("a", found(Drift, High, "", fmt.Sprint(i), ""), now); ok {
			lines++
		}
	}
	if lines >= linesMost || len(l.containers["a"][Drift].seen) > subjectsMost {
		t.Errorf("%d lines, %d subjects", lines, len(l.containers["a"][Drift].seen))
	}
	if n := l.Untold("a"); n < 99_000 || l.Untold("a") != 0 {
		t.Errorf("%d are untold", n)
	}
	if _, ok := l.Count("a", found(Escape, Critical, "", "z", ""), now); !ok {
		t.Error("an escape is not told")
	}
	for _, k := range []Kind{Metadata, Trace, Sockets, Files, Gone, Setuid} {
		if _, ok := l.Count("a", found(k, High, "", "z", ""), now); !ok {
			t.Errorf("%s is hidden behind many drifts", k)
		}
	}
	if _, ok := l.Count("b", found(Drift, High, "", "x", ""), now); !ok {
		t.Error("another container has no line")
	}
}

// A host without file descriptors costs single events, which are counted.
func TestReadingOfWritesGoesOn(t *testing.T) {
	p := make([]int, 2)
	if err := unix.Pipe2(p, unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[1])
	w := &FileWatch{fd: p[0]} // each read fails
	ended := make(chan struct{})
	go func() { w.Read(func(Written) {}); close(ended) }()
	for until := time.Now().Add(10 * time.Second); w.lost.Load() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it ended at the first failure")
		}
	}
	_ = unix.Close(p[0])
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it does not end when it is closed")
	}
}

// The kinds are the keys of the policy, and each has a technique.
func TestKinds(t *testing.T) {
	kinds := []Kind{Escape, Drift, Capability, Setuid, Calls, Kernel, Sockets, Trace, Metadata, Network, Files, Gone, Flood}
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
		if k.technique() == "" {
			t.Errorf("%s has no technique", k)
		}
	}
	if got := (policy.DetectRules{}).Kinds(); !slices.Equal(got, names) {
		t.Errorf("the policy has %v, the watch %v", got, names)
	}
}

// No name that a container chose breaks a line or hides in it.
func TestNamesAreHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		s := executed(probe.File{Name: name, Magic: magicOverlay, MountID: 100, Upper: true})
		s.Path, s.Command, s.ParentCommand, s.ParentPid = name, name, name, 1<<30
		for _, f := range container().Exec(s, ours) {
			f.Identify()
			for _, text := range append([]string{f.What, f.Process.Command}, f.Process.Ancestry...) {
				if strings.ContainsFunc(text, func(r rune) bool {
					return r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
				}) || len(text) > 2*wordMost+300 {
					t.Fatalf("%q", text)
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("22 27 0:21 / / rw,nosuid shared:7 - overlay overlay rw,lowerdir=/a")
	f.Add("12 (a) b) S 1 2 3 4 5 64 7 8 9 10 11 12 13 14 15 16 17 18 19 77 21")
	f.Fuzz(func(_ *testing.T, text string) {
		parseMount(text)
		parseMarked(text)
		unescape(text)
		parseStatus([]byte(text))
	})
}

func TestParse(t *testing.T) {
	id, m, ok := parseMount("22 27 0:21 / /vol ro,nosuid shared:7 - ext4 /dev/x rw")
	if !ok || id != 22 || m != (Mount{"/vol", "ext4", true}) {
		t.Errorf("%d %+v %v", id, m, ok)
	}
	s, ok := parseStatus([]byte("12 (a) b) S 1 2 3 4 5 64 7 8 9 10 11 12 13 14 15 16 17 18 19 77 21"))
	if !ok || s.command != "a) b" || s.parent != 1 || !s.forked || s.started != 19 {
		t.Errorf("%+v %v", s, ok)
	}
}
