package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/why"
)

// cause is one thing that fails in a container, made for real, and what why must
// say of it.
type cause struct {
	target string // of why, in words
	before func(*testing.T, *made)
	inside string // a shell command that fails in the container for this cause
	fails  string // what it prints
	want   why.Verdict
	layer  string // of another layer
	says   string // in what is said
	follow bool   // the policy that is printed is followed, and the command succeeds
}

// box is a container in which some causes are made.
type box struct {
	name, policy string
	edit         func(*testing.T, *specs.Spec, string)
	files        func(t *testing.T, root, vol string)
	causes       []cause
}

func TestWhyNamesTheCause(t *testing.T) {
	n := 0
	for _, b := range []box{plainBox(), dockerBox(), userBox(), untrustedBox(), limitBox(), ownLimitBox(), wiredBox()} {
		n += len(b.causes)
		t.Run(b.name, b.run)
	}
	if n < 60 {
		t.Errorf("only %d causes", n)
	}
}

// made is a box that runs.
type made struct {
	box
	dir, bundle string
}

func (b box) run(t *testing.T) {
	m := b.make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	for _, c := range b.causes {
		t.Run(strings.ReplaceAll(c.target, "/", "_"), func(t *testing.T) { m.check(t, c) })
	}
}

func (b box) make(t *testing.T) *made {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	m := &made{b, dir, makeBundle(t, "while :; do sleep 600; done")}
	must(t, os.Chmod(filepath.Dir(m.bundle), 0o755))
	must(t, os.Chmod(m.bundle, 0o755))
	policyFile(t, dir, b.policy)
	vol := dir + "/vol"
	must(t, os.MkdirAll(vol, 0o755))
	root := m.bundle + "/rootfs"
	busybox := []byte(read(t, "/bin/busybox"))
	must(t, os.WriteFile(root+"/bin/busybox", busybox, 0o755))
	for _, tool := range []string{"cat", "mount", "chroot", "sleep", "nc", "ls", "mkdir", "head", "tail", "timeout", "unshare", "hostname", "date", "ping", "dd", "touch", "nslookup", "ip", "chmod", "chown", "id", "test", "mknod", "wget", "swapon", "insmod"} {
		must(t, os.Symlink("busybox", root+"/bin/"+tool))
	}
	if b.files != nil {
		b.files(t, root, vol)
	}
	editSpec(t, m.bundle, func(s *specs.Spec) {
		s.Linux.CgroupsPath = "/hatchdog-why-" + b.name
		b.edit(t, s, vol)
	})
	return m
}

func (m *made) start(t *testing.T) {
	t.Helper()
	d := &direct{dir: m.dir, bundle: m.bundle, policy: m.dir + "/policy.yaml", bin: tested.hatchdog}
	if out, code := d.call(t, nil, "run", "-d", "--bundle", m.bundle, m.name); code != 0 {
		t.Fatalf("run: exit code %d\n%s", code, out)
	}
}

func (m *made) stop(t *testing.T) {
	t.Helper()
	d := &direct{dir: m.dir, bundle: m.bundle, policy: m.dir + "/policy.yaml", bin: tested.hatchdog}
	d.call(t, nil, "delete", "--force", m.name)
}

// exec runs a shell command in the container.
func (m *made) exec(t *testing.T, command string) (string, int) {
	t.Helper()
	d := &direct{dir: m.dir, bundle: m.bundle, policy: m.dir + "/policy.yaml", bin: tested.hatchdog}
	return d.call(t, nil, "exec", m.name, "/bin/sh", "-c", command)
}

func (m *made) why(t *testing.T, target string) []why.Finding {
	t.Helper()
	args := append([]string{"HATCHDOG_POLICY=" + m.dir + "/policy.yaml", tested.hatchctl, "why", "--json", m.name}, strings.Fields(target)...)
	out, code := run(t, "env", args...)
	var got struct{ Findings []why.Finding }
	if code > 2 || json.Unmarshal([]byte(out), &got) != nil {
		t.Fatalf("why %s: exit code %d\n%s", target, code, out)
	}
	return got.Findings
}

func (m *made) check(t *testing.T, c cause) {
	t.Helper()
	if c.before != nil {
		c.before(t, m)
	}
	if c.inside != "" {
		if out, code := m.exec(t, c.inside); code == 0 || !strings.Contains(out, c.fails) {
			t.Errorf("%s in the container: exit code %d, want one that is not 0, and %q\n%s", c.inside, code, c.fails, out)
		}
	}
	target, what, _ := strings.Cut(c.target, " = ") // of all that was stopped, one is meant
	found := m.why(t, target)
	var got *why.Finding
	for i := range found {
		if strings.Contains(found[i].What, what) {
			got = &found[i]
		}
	}
	if got == nil {
		t.Fatalf("why %s: %+v", c.target, found)
	}
	said := strings.Join(append(got.Evidence, got.Why, got.Policy, got.Remedy), "\n")
	if got.Verdict != c.want || got.Layer != c.layer || !strings.Contains(said, c.says) {
		t.Errorf("why %s: %s %q, want %s %q and %q in\n%s", c.target, got.Verdict, got.Layer, c.want, c.layer, c.says, said)
	}
	if c.follow {
		m.follow(t, c, got)
	}
}

// follow gives the container the policy that was printed.
func (m *made) follow(t *testing.T, c cause, f *why.Finding) {
	t.Helper()
	if f.Allow == "" || f.Gain == "" {
		t.Errorf("no policy: %+v", f)
		return
	}
	before := read(t, m.dir+"/policy.yaml")
	rules := f.Allow[strings.Index(f.Allow, "rules:"):]
	must(t, os.WriteFile(m.dir+"/policy.yaml", []byte(before+"\n"+rules), 0o600))
	m.stop(t)
	m.start(t)
	if out, code := m.exec(t, c.inside); code != 0 {
		t.Errorf("with the policy that is printed, %s: exit code %d\n%s\n%s", c.inside, code, out, f.Allow)
	}
	must(t, os.WriteFile(m.dir+"/policy.yaml", []byte(before), 0o600))
	m.stop(t)
	m.start(t)
}

// What is known when a container is gone is what the audit log has: why says so,
// and what it does not know.
func TestWhyOfAContainerThatIsGone(t *testing.T) {
	b := dockerBox()
	b.name = "gone"
	m := b.make(t)
	m.start(t)
	m.stop(t)
	for target, want := range map[string]why.Verdict{
		"chroot": why.Hatchdog, "CAP_CHOWN": why.Undetermined, "CAP_MKNOD": why.Hatchdog, "/proc/cmdline": why.Hatchdog,
		"/etc/passwd": why.Undetermined, "9.9.9.9:80": why.Undetermined, "read": why.Undetermined,
	} {
		if got := m.why(t, target); len(got) != 1 || got[0].Verdict != want {
			t.Errorf("%s: %+v, want %s", target, got, want)
		}
	}
	out, _ := run(t, "env", "HATCHDOG_POLICY="+m.dir+"/policy.yaml", tested.hatchctl, "why", "gone", "chroot")
	wantLines(t, out, "it is gone: what is said is from the audit log")
}

// A container that was left as asked is stopped by nothing of hatchdog's.
func TestWhyInComplainMode(t *testing.T) {
	b := dockerBox()
	b.name, b.policy = "complain", "mode: complain\nprofile: restricted\n"
	m := b.make(t)
	m.start(t)
	t.Cleanup(func() { m.stop(t) })
	for _, target := range []string{"chroot", "CAP_CHOWN", "CAP_NET_RAW", "mount", "/proc/cmdline", "/new --for write", "127.0.0.1:81", ":80", ""} {
		for _, f := range m.why(t, target) {
			if f.Verdict == why.Hatchdog {
				t.Errorf("%s: %+v", target, f)
			}
		}
	}
}

// A container that was refused is told what refused it, and what would admit it.
func TestWhyOfARefusal(t *testing.T) {
	b := plainBox()
	b.name, b.policy = "refused", "profile: restricted\n"
	m := b.make(t)
	d := &direct{dir: m.dir, bundle: m.bundle, policy: m.dir + "/policy.yaml", bin: tested.hatchdog}
	if out, code := d.call(t, nil, "create", "--bundle", m.bundle, m.name); code == 0 {
		t.Fatalf("it was started\n%s", out)
	}
	got := m.why(t, "")
	if len(got) == 0 || got[0].Verdict != why.Hatchdog || !strings.Contains(got[0].Allow, "devices: {allow:") {
		t.Errorf("%+v", got)
	}
}

// The kernel's records of a profile with seccomp.log name the calls, whatever a
// process calls itself.
func TestWhyReadsTheKernelsLog(t *testing.T) {
	b := plainBox()
	b.name, b.policy = "logged", "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, onExcess: {devices: tighten}, seccomp: {log: true}}\n"
	m := b.make(t)
	m.start(t)
	t.Cleanup(func() { m.stop(t) })
	const hostile = "\x1b[31mroot\nx"
	m.exec(t, "cp /bin/busybox '/rw/"+hostile+"' 2>/dev/null; /bin/busybox cp /bin/busybox '/rw/"+hostile+"'")
	if !slices.Contains(strings.Fields(read(t, "/proc/cmdline")), "audit=1") {
		t.Skip("this kernel keeps no audit records of denied calls: it was booted without audit=1")
	}
	var out string
	var code int
	// The kernel keeps some records each second, of all that the host does.
	for range 10 {
		m.exec(t, "'/rw/"+hostile+"' unshare -U true")
		if out, code = run(t, "env", "HATCHDOG_POLICY="+m.dir+"/policy.yaml", tested.hatchctl, "why", m.name); code == 1 {
			break
		}
		time.Sleep(time.Second)
	}
	if code != 1 || !strings.Contains(out, "the call unshare") || strings.Contains(out, "\x1b") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	wantLines(t, out, "audit records go back to")
}

// The filter that is shown and tried for a container is the one that it got, not
// the one that its engine wrote.
func TestSeccompShowsTheFilterInForce(t *testing.T) {
	b := plainBox()
	b.name = "in-force"
	m := b.make(t)
	m.start(t)
	t.Cleanup(func() { m.stop(t) })
	ctl := func(args ...string) (string, int) {
		return run(t, "env", append([]string{"HATCHDOG_POLICY=" + m.dir + "/policy.yaml", tested.hatchctl, "seccomp"}, args...)...)
	}
	if out, code := ctl("simulate", m.name, "mount"); code != 1 || !strings.Contains(out, "ERRNO EPERM") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := ctl("simulate", m.name, "read"); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	inForce, err := lowlevel.FindGiven(m.dir+"/root", m.name)
	must(t, err)
	out, _ := ctl("show", "--json", m.name)
	var shown specs.LinuxSeccomp
	must(t, json.Unmarshal([]byte(out), &shown))
	if len(shown.Syscalls) < 100 || len(shown.Syscalls) != len(inForce.Seccomp.Syscalls) {
		t.Errorf("%d rules, %d in force", len(shown.Syscalls), len(inForce.Seccomp.Syscalls))
	}
}

// docs/why.md shows what is printed.
func TestWhyAsThePageShowsIt(t *testing.T) {
	b := box{
		name: "web", policy: "profile: restricted\n",
		files: func(t *testing.T, root, vol string) {
			put(t, vol+"/db", "x", 0o666, 0)
			put(t, root+"/app/start", "#!/usr/bin/python3\n", 0o755, 0)
		},
		edit: func(t *testing.T, s *specs.Spec, vol string) {
			s.Linux.Seccomp = dockersFilter(t)
			s.Mounts = append(s.Mounts, bind(vol, "/data", "ro"))
		},
	}
	m := b.make(t)
	m.start(t)
	t.Cleanup(func() { m.stop(t) })
	shown := blocksOf(t, "docs/why.md", "text")
	lines := blocksOf(t, "docs/why.md", "sh")
	if len(shown) < 5 || len(lines) != len(shown)+1 {
		t.Fatalf("%d commands, %d blocks of what they print", len(lines), len(shown))
	}
	for i, want := range shown {
		args := append([]string{"HATCHDOG_POLICY=" + m.dir + "/policy.yaml", tested.hatchctl}, strings.Fields(lines[i])[1:]...)
		got, _ := run(t, "env", args...)
		if numbers.ReplaceAllString(got, "0") != numbers.ReplaceAllString(want, "0") {
			t.Errorf("%s prints\n%s\nand the page shows\n%s", lines[i], got, want)
		}
	}
}
