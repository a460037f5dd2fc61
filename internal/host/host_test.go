package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/retest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func probeSources(t *testing.T, protect []string, sources ...string) map[string]Source {
	t.Helper()
	p := &policy.Profile{}
	for _, path := range protect {
		p.Mounts.Protect = append(p.Mounts.Protect, policy.PathRule{Path: path, Access: policy.AccessNone})
	}
	spec := &specs.Spec{}
	for _, s := range sources {
		spec.Mounts = append(spec.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: s})
	}
	f, open, err := Probe(Request{Spec: spec, Profile: p, Bundle: "/"})
	must(t, err)
	open.Close()
	return f.Sources
}

func TestNamesOfASource(t *testing.T) {
	if !retest.Mounts(t) {
		return
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	for _, d := range []string{"state/secret", "copy", "holder/in", "open"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	state := filepath.Join(dir, "state")
	must(t, syscall.Mount(filepath.Join(state, "secret"), filepath.Join(dir, "copy"), "", syscall.MS_BIND, ""))
	must(t, syscall.Mount(state, filepath.Join(dir, "holder/in"), "", syscall.MS_BIND, ""))
	must(t, os.Symlink(state, filepath.Join(dir, "link")))
	link, copied, holder, open := filepath.Join(dir, "link"), filepath.Join(dir, "copy"), filepath.Join(dir, "holder"), filepath.Join(dir, "open")

	got := probeSources(t, []string{state}, link, copied, holder, open, dir, "/proc/1/root/etc", "/nowhere")
	if s := got[link]; s.Resolved != state {
		t.Errorf("link: %+v", s)
	}
	if s := got[copied]; !slices.Contains(s.Aliases, filepath.Join(state, "secret")) {
		t.Errorf("a bind mount of a protected directory's child: %+v", s)
	}
	if s := got[holder]; !slices.Contains(s.Contains, state) {
		t.Errorf("a directory with the protected one mounted in it: %+v", s)
	}
	if s := got[dir]; !slices.Contains(s.Contains, state) {
		t.Errorf("a directory above: %+v", s)
	}
	if s := got[open]; len(s.Contains) > 0 || slices.ContainsFunc(s.Aliases, func(a string) bool { return strings.HasPrefix(a, state) }) || s.Err != "" {
		t.Errorf("a directory apart: %+v", s)
	}
	if s := got["/proc/1/root/etc"]; s.Err == "" && s.Resolved != "/etc" {
		t.Errorf("through procfs into another mount namespace: %+v", s)
	}
	if got["/nowhere"].Err == "" {
		t.Error("a source that is not there")
	}
	// The protected path itself is a link: what lies where it leads is inside.
	got = probeSources(t, []string{link}, filepath.Join(state, "secret"))
	if s := got[filepath.Join(state, "secret")]; !slices.Contains(s.Aliases, filepath.Join(link, "secret")) {
		t.Errorf("behind a protected link: %+v", s)
	}
}

func TestJoined(t *testing.T) {
	s := newSources()
	defer s.Close()
	if got := s.joined("/proc/self/ns/net"); got.Type != "network" || got.Err != "" || got.ID.Ino == 0 {
		t.Error(got)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	for _, path := range []string{fifo, "/etc/passwd", "/nowhere", "/proc/self/ns"} {
		if got := s.joined(path); got.Err == "" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if ids := hostNamespace("network"); len(ids) == 0 && os.Geteuid() == 0 {
		t.Error("the host's network namespace cannot be told")
	}
}

func TestCgroup(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		want  Cgroup
	}{
		{
			map[string]string{"proc/self/cgroup": "0::/x\n", "sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n", "sys/fs/cgroup/x/memory.swap.max": "max"},
			Cgroup{V2: true, Controllers: []string{"cpu", "memory", "pids"}, Swap: true},
		},
		{
			map[string]string{"proc/self/cgroup": "3:cpu,cpuacct:/\n2:memory:/\n1:name=systemd:/\n0::/\n", "sys/fs/cgroup/x": ""},
			Cgroup{Controllers: []string{"cpu", "cpuacct", "memory"}},
		},
	} {
		root := t.TempDir()
		for name, data := range c.files {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
			must(t, os.WriteFile(filepath.Join(root, name), []byte(data), 0o600))
		}
		got, err := probeCgroup(root, os.Geteuid())
		if err != nil || got.V2 != c.want.V2 || got.Swap != c.want.Swap || !slices.Equal(got.Controllers, c.want.Controllers) {
			t.Errorf("%+v %v, want %+v", got, err, c.want)
		}
	}
}

func TestHookFile(t *testing.T) {
	s := newSources()
	defer s.Close()
	if h := s.hook("/proc/self/exe"); h.Dockerd || h.Err != "" {
		t.Errorf("this test is no dockerd: %+v", h)
	}
	if h := s.hook("/bin/sh"); !h.RootOnly || h.Err != "" || h.Dockerd {
		t.Errorf("%+v", h)
	}
	// A program that calls itself dockerd, in a place that others can write to.
	fake := filepath.Join(t.TempDir(), "dockerd")
	data, err := os.ReadFile("/bin/sh")
	must(t, err)
	must(t, os.WriteFile(fake, data, 0o777))
	must(t, os.Chmod(fake, 0o777))
	if h := s.hook(fake); h.Dockerd || h.RootOnly {
		t.Errorf("%+v", h)
	}
}

func BenchmarkProbeDockerSources(b *testing.B) {
	pol, err := policy.Default()
	if err != nil {
		b.Fatal(err)
	}
	spec := &specs.Spec{}
	for _, s := range []string{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} {
		spec.Mounts = append(spec.Mounts, specs.Mount{Type: "bind", Source: s})
	}
	for b.Loop() {
		_, s, err := Probe(Request{Spec: spec, Profile: pol.Profiles["builtin/restricted"], Bundle: "/"})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
