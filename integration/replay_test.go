package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// replay is a way out of a container that a low-level runtime had.
type replay struct {
	runtime string // in the cache
	version string
	edit    func(*specs.Spec)
	image   func(t *testing.T, rootfs string)
	out     string // what says that it goes through
	why     string // of the refusal
}

// plainly is what the low-level runtime of that day does by itself. It says in
// the image's /out what it saw.
func (r *replay) plainly(t *testing.T, d *direct) string {
	t.Helper()
	_ = os.Remove(d.bundle + "/rootfs/out")
	cmd := exec.Command(cached(t, r.runtime+"-*/runc"), "--root", d.dir+"/plain", "run", "--bundle", d.bundle, "plain")
	said, _ := cmd.CombinedOutput()
	saw, _ := os.ReadFile(d.bundle + "/rootfs/out")
	return string(said) + string(saw)
}

// What low-level runtimes let through in their day, first with the last release
// that did, then with hatchdog in front of it and the release accepted, then in
// front of a current one. hatchdog refuses these by itself.
func TestReplaysOfKnownEscapes(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	must(t, os.WriteFile(marker, []byte("OUTSIDE\n"), 0o644))
	shell := func(script string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Process.Args = []string{"/bin/sh", "-c", "exec >/out 2>&1; " + script} }
	}
	cwd := func(dir string) func(*specs.Spec) {
		return func(s *specs.Spec) {
			shell("/bin/grep . ../../../../../../../.." + marker)(s)
			s.Process.Cwd = dir
		}
	}
	link := func(name, to string) func(*testing.T, string) {
		return func(t *testing.T, rootfs string) {
			t.Helper()
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(rootfs, name)), 0o755))
			must(t, os.MkdirAll(rootfs+"/srv/p", 0o755))
			_ = os.Remove(filepath.Join(rootfs, name))
			must(t, os.Symlink(to, filepath.Join(rootfs, name)))
		}
	}
	withoutDev := func(s *specs.Spec) {
		shell("/bin/readlink /proc/self/fd/0")(s)
		var kept []specs.Mount
		for _, m := range s.Mounts {
			if !strings.HasPrefix(m.Destination, "/dev") {
				kept = append(kept, m)
			}
		}
		s.Mounts = kept
	}
	replayAll(t, map[string]replay{
		"CVE-2024-21626": {"old-runc-2024", "1.1.11", cwd("/proc/self/fd/6"), nil, "OUTSIDE", "process.cwd"},
		"CVE-2024-21626 by a link of the image": {
			"old-runc-2024", "1.1.11", cwd("/work"), link("work", "/proc/self/fd/6"), "OUTSIDE", "the working directory is a link of the image or of a volume",
		},
		"CVE-2024-21626 by a link of a volume": {
			"old-runc-2024", "1.1.11", func(s *specs.Spec) {
				cwd("/data/work")(s)
				s.Mounts = append(s.Mounts, bindOf(links(t, map[string]string{"work": "/proc/self/fd/6"}), "/data"))
			}, nil, "OUTSIDE", "the working directory is a link of the image or of a volume",
		},
		"CVE-2023-27561": {
			"old-runc-2023", "1.1.4", shell("/bin/grep -c ' /srv/p rw.* - proc ' /proc/self/mountinfo; echo at $?"), link("proc", "srv/p"), "1\nat 0", "/proc of the image",
		},
		"CVE-2025-31133": {"old-runc-2025", "1.2.7", withoutDev, link("dev/null", "/proc/sys/kernel/domainname"), "/proc/sys/kernel/domainname", "/dev/null of the image"},
	})
}

// replayAll runs each escape with the low-level runtime of its day, by itself and
// behind hatchdog with and without user namespaces, then with a current one.
func replayAll(t *testing.T, all map[string]replay) {
	t.Helper()
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []string{"plain", "off", "auto", "current"} {
				r.behind(t, mode)
			}
		})
	}
}

func (r *replay) behind(t *testing.T, mode string) {
	t.Helper()
	d := newDirect(t)
	must(t, os.Chmod(filepath.Dir(d.dir), 0o755)) // the way of a user namespace to the state directory
	if r.image != nil {
		r.image(t, d.bundle+"/rootfs")
	}
	must(t, os.Link(d.bundle+"/rootfs/bin/sh", d.bundle+"/rootfs/bin/readlink"))
	d.edit(t, r.edit)
	d.edit(t, func(s *specs.Spec) { s.Root.Readonly, s.Version = false, "1.0.2" })
	if mode == "plain" {
		if out := r.plainly(t, d); !strings.Contains(out, r.out) {
			t.Errorf("it does not go through with the runtime of that day: %s", out)
		}
		return
	}
	runtime, userns := "{path: "+cached(t, r.runtime+"-*/runc")+", "+accepts("runc "+r.version)+"}", mode
	if mode == "current" {
		runtime, userns = pinnedRunc(t), "auto"
	}
	d.accept(t, runtime, "p: {extends: builtin/restricted, userns: {mode: "+userns+"}}")
	out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
	saw, _ := os.ReadFile(d.bundle + "/rootfs/out")
	if code == 0 || strings.Contains(string(saw), r.out) || !strings.Contains(out, r.why) {
		t.Errorf("%s: exit code %d: %s%s", mode, code, out, saw)
	}
}

// accept writes a policy with a low-level runtime and a profile p.
func (d *direct) accept(t *testing.T, runtime, profile string) {
	t.Helper()
	text := strings.ReplaceAll("version: 1\nstateDir: DIR/state\nids: {dir: DIR/ids}\naudit: {path: DIR/log/audit.jsonl}\nprofile: p\n", "DIR", d.dir) +
		"runtime: " + runtime + "\nprofiles:\n  " + profile + "\n"
	must(t, os.WriteFile(d.policy, []byte(text), 0o600))
}

// A volume in the place of procfs is refused before the low-level runtime is
// started (CVE-2019-16884, CVE-2019-19921).
func TestNothingStandsForProc(t *testing.T) {
	for _, m := range []specs.Mount{
		{Destination: "/proc", Type: "bind", Source: t.TempDir(), Options: []string{"rbind"}},
		{Destination: "/x/../proc/", Type: "bind", Source: t.TempDir(), Options: []string{"bind", "ro"}},
		{Destination: "proc", Type: "tmpfs", Source: "tmpfs"},
	} {
		d := newDirect(t)
		d.edit(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, m) })
		out, code := d.create(t)
		d.wantRefused(t, out, code, "stands for the kernel's own")
	}
}
