package effects

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func look(t *testing.T, bundle string, spec *specs.Spec) Request {
	t.Helper()
	facts, sources, err := host.Probe(host.Request{Spec: spec, Profile: &policy.Profile{}, Bundle: bundle})
	must(t, err)
	t.Cleanup(sources.Close)
	return Request{Spec: spec, Facts: facts, Sources: sources}
}

// steps are the places between an examination and the hand-over.
func steps() []string { return []string{"", "detached", "entered", "pinned", "mounted"} }

// Whatever is swapped, and whenever: what the spec leads to in the end is what
// was examined.
func TestSwappedAtEachStep(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	for _, at := range steps() {
		dir := place(t)
		must(t, os.MkdirAll(dir+"/users/rootfs", 0o755))
		write(t, dir+"/users/rootfs/file", "examined")
		one, other := inNamespaces(t), inNamespaces(t)
		for _, typ := range []string{"net", "ipc"} {
			must(t, os.Symlink(one+"/ns/"+typ, dir+"/users/"+typ))
		}
		spec := &specs.Spec{
			Root: &specs.Root{Path: dir + "/users/rootfs"}, Mounts: []specs.Mount{bind(dir+"/users/data", "/vol", "rbind")},
			Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace},
				{Type: specs.NetworkNamespace, Path: dir + "/users/net"},
				{Type: specs.IPCNamespace, Path: dir + "/users/ipc"},
				{Type: specs.UTSNamespace, Path: one + "/ns/uts"},
			}},
		}
		examined := spaces(t, spec)
		r := look(t, dir, spec)
		r.StateDir = dir + "/record"
		swap := func(name string) {
			if name != at {
				return
			}
			for _, was := range []string{"rootfs", "data"} {
				must(t, os.Rename(dir+"/users/"+was, dir+"/users/gone-"+was))
				must(t, os.Symlink(dir+"/other", dir+"/users/"+was))
			}
			for _, was := range []string{"net", "ipc"} {
				must(t, os.Remove(dir+"/users/"+was))
				must(t, os.Symlink(other+"/ns/"+was, dir+"/users/"+was))
			}
			gone(t, one)
		}
		swap("")
		r.Step = func(name string) error { swap(name); return nil }
		a, err := Acquire(r)
		must(t, err)
		for what, path := range map[string]string{"root": spec.Root.Path, "source": spec.Mounts[0].Source} {
			if got := text(path + "/file"); got != "examined" {
				t.Errorf("swapped at %q: the %s holds %q", at, what, got)
			}
		}
		if got := spaces(t, spec); !slices.Equal(got, examined) {
			t.Errorf("swapped at %q: joined %v, want %v", at, got, examined)
		}
		must(t, a.Undo())
	}
}

// inNamespaces is /proc/PID of a process with namespaces of its own.
func inNamespaces(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return fmt.Sprintf("/proc/%d", cmd.Process.Pid)
}

// gone ends a process: its pid may belong to another from now on.
func gone(t *testing.T, proc string) {
	t.Helper()
	pid, err := strconv.Atoi(filepath.Base(proc))
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	_, err = syscall.Wait4(pid, nil, 0, nil)
	must(t, err)
}

// spaces are the identities of the namespaces that a spec joins.
func spaces(t *testing.T, s *specs.Spec) []uint64 {
	t.Helper()
	var all []uint64
	for _, ns := range s.Linux.Namespaces {
		if ns.Path == "" {
			continue
		}
		_, ino, err := host.Identify(ns.Path)
		must(t, err)
		all = append(all, ino)
	}
	return all
}

// A .. is where the words lead from where the bundle really is, as for runc, and
// what is handed on does not depend on who reads it.
func TestRelativePaths(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	for _, may := range []bool{true, false} {
		dir := place(t)
		for _, d := range []string{"real/deep/bundle/rootfs", "real/deep/vol", "vol", "rootfs"} {
			must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
			write(t, filepath.Join(dir, d, "file"), d)
		}
		must(t, os.Symlink("real/deep/bundle", dir+"/link"))
		spec := &specs.Spec{Root: &specs.Root{Path: "rootfs"}, Mounts: []specs.Mount{bind("../vol", "/vol", "rbind")}}
		r := look(t, dir+"/link", spec)
		r.StateDir, r.Facts.MayMount = dir+"/record", may
		if got := r.Facts.Sources["../vol"].Resolved; got != dir+"/real/deep/vol" {
			t.Errorf("judged: %s", got)
		}
		a, err := Acquire(r)
		must(t, err)
		if (a.Base() != "") != may {
			t.Errorf("may mount %v: private mounts at %q", may, a.Base())
		}
		for path, want := range map[string]string{spec.Root.Path: "real/deep/bundle/rootfs", spec.Mounts[0].Source: "real/deep/vol"} {
			if got := text(path + "/file"); got != want || !filepath.IsAbs(path) {
				t.Errorf("may mount %v: %s holds %q, want %q", may, path, got, want)
			}
		}
		must(t, a.Undo())
	}
}

// Without the right to mount, a root that others can swap is nothing to start.
func TestUnsteadyRootWithoutMounts(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	dir := place(t)
	must(t, os.MkdirAll(dir+"/users/rootfs", 0o755))
	r := look(t, dir, &specs.Spec{Root: &specs.Root{Path: dir + "/users/rootfs"}})
	r.StateDir, r.Facts.MayMount = dir+"/record", false
	if _, err := Acquire(r); err == nil {
		t.Error("taken")
	}
}

// A hook that a process names is run as the program that was examined, whatever
// becomes of the process.
func TestHookIsHeld(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	for _, at := range steps() {
		dir := place(t)
		must(t, os.MkdirAll(dir+"/rootfs", 0o755))
		data, err := os.ReadFile("/bin/busybox")
		must(t, err)
		must(t, os.WriteFile(dir+"/engine", data, 0o755))
		cmd := exec.Command(dir+"/engine", "sleep", "1000")
		cmd.Args[0] = "busybox"
		must(t, cmd.Start())
		proc := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
		hook := specs.Hook{Path: proc + "/exe", Args: []string{"busybox", "echo", "ran"}}
		spec := &specs.Spec{Root: &specs.Root{Path: dir + "/rootfs"}, Hooks: &specs.Hooks{
			Prestart: []specs.Hook{hook}, CreateContainer: []specs.Hook{hook}, //nolint:staticcheck // deprecated, but runc runs it
		}}
		r := look(t, dir, spec)
		r.StateDir = dir + "/record"
		swap := func(name string) {
			if name == at {
				gone(t, proc)
			}
		}
		swap("")
		r.Step = func(name string) error { swap(name); return nil }
		a, err := Acquire(r)
		must(t, err)
		for _, h := range []specs.Hook{spec.Hooks.Prestart[0], spec.Hooks.CreateContainer[0]} { //nolint:staticcheck // deprecated, but runc runs it
			if out, err := (&exec.Cmd{Path: h.Path, Args: h.Args}).CombinedOutput(); string(out) != "ran\n" {
				t.Errorf("gone at %q: %s: %v %s", at, h.Path, err, out)
			}
		}
		must(t, a.Undo())
	}
}
