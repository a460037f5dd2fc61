package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// listedHook is a script that the policy lists; it says which environment it
// has and which program `id` is.
func listedHook(t *testing.T) (script, said string) {
	t.Helper()
	said = filepath.Join(t.TempDir(), "said")
	must(t, os.Chmod(filepath.Dir(said), 0o777))
	script = filepath.Join(tested.dir, "site-hook")
	must(t, os.WriteFile(script, []byte("#!/bin/bash\ncat >/dev/null\n{ echo \"uid $(id -u)\"; env; } >>"+said+"\n"), 0o755))
	return script, said
}

// A hook that the policy lists runs as the host's root: nothing of what the
// request or the image puts into its environment has it run other code.
func TestEnvironmentOfListedHooks(t *testing.T) {
	for name, runtime := range map[string]string{
		"pinned": fmt.Sprintf("{path: %s}", pinnedRunc(t)),
		// It gives createContainer hooks the environment of the container.
		"debian": "{path: /usr/sbin/runc, " + accepts("runc 1.1.5+ds1") + "}",
	} {
		t.Run(name, func(t *testing.T) {
			script, said := listedHook(t)
			d := newReal(t, runtime, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, hooks: {allow: ["+script+"], env: [SITE_*]}}\n")
			evil := t.TempDir()
			owned := filepath.Join(evil, "owned")
			for _, program := range []string{"evil.sh", "id", "cat"} {
				must(t, os.WriteFile(filepath.Join(evil, program), []byte("#!/bin/sh\necho $0 >>"+owned+"\n"), 0o755))
			}
			env := []string{
				"BASH_ENV=" + evil + "/evil.sh", "PATH=" + evil, "LD_PRELOAD=" + evil + "/x.so", "BASH_FUNC_id%%=() { echo id >>" + owned + "; }",
				"SHELLOPTS=xtrace", "PS4=$(echo x >>" + owned + ")", "SITE_NAME=here",
			}
			d.edit(t, func(s *specs.Spec) {
				s.Process.Args = []string{"/bin/sh", "-c", ":"}
				s.Process.Env = env
				given, bare := specs.Hook{Path: script, Args: []string{"site-hook"}, Env: env}, specs.Hook{Path: script, Args: []string{"site-hook"}}
				s.Hooks = &specs.Hooks{
					Prestart:      []specs.Hook{given}, //nolint:staticcheck // deprecated, but runc runs it
					CreateRuntime: []specs.Hook{given, bare}, CreateContainer: []specs.Hook{given, bare}, Poststart: []specs.Hook{given},
				}
			})
			out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
			if code != 0 {
				t.Fatal(out)
			}
			if text, err := os.ReadFile(owned); err == nil {
				t.Errorf("run as the host's root: %s", text)
			}
			has := read(t, said)
			if n := strings.Count(has, "uid 0"); n != 6 {
				t.Errorf("%d of 6 hooks ran: %s", n, has)
			}
			if n := strings.Count(has, "SITE_NAME=here"); n != 4 || strings.Contains(has, evil) {
				t.Errorf("%d of 4 hooks have what the policy lists: %s", n, has)
			}
		})
	}
}

// A startContainer hook is a program of the container and runs as its process
// does: no policy lists it, and it has nothing that the container has not.
func TestStartContainerHooksAreTheContainers(t *testing.T) {
	const show = `while read -r x; do echo "$x"; done </proc/self/status`
	for _, runtime := range []string{"runc", "crun"} {
		t.Run(runtime, func(t *testing.T) {
			path := fmt.Sprintf("{path: %s}", pinnedRunc(t))
			if runtime == "crun" {
				require(t, "crun")
				path = "{path: /usr/bin/crun, " + accepts(crunVersion(t)) + "}"
			}
			d := newReal(t, path, "")
			d.piped = true // its user is not the owner of a file of ours
			d.edit(t, func(s *specs.Spec) {
				s.Process.Args = []string{"/bin/sh", "-c", show + `; while read -r x; do echo "$x"; done </dev/shm/seen`}
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"mode=1777"}})
				s.Process.User.UID, s.Process.User.GID = 1234, 1234
				s.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{
					Path: "/bin/sh", Args: []string{"sh", "-c", show + " >/dev/shm/seen"}, Env: []string{"PATH=/bin"},
				}}}
			})
			out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
			if code != 0 {
				t.Fatal(out)
			}
			for _, field := range []string{"Uid:", "Gid:", "CapBnd:", "CapEff:", "CapPrm:", "NoNewPrivs:", "Seccomp:"} {
				var lines []string
				for line := range strings.Lines(out) {
					if strings.HasPrefix(line, field) {
						lines = append(lines, line)
					}
				}
				if len(lines) != 2 || lines[0] != lines[1] {
					t.Errorf("the hook's and the process's: %q", lines)
				}
			}
		})
	}
}

// What a listed hook is called with is what the policy lists: no other argument,
// and not another name, of which a program may make another of its parts.
func TestArgumentsOfListedHooks(t *testing.T) {
	did := filepath.Join(t.TempDir(), "did")
	write := []string{"-c", "echo of the request >>" + did}
	for name, c := range map[string]struct {
		hook specs.Hook
		why  string // "" is admitted
	}{
		"another name":     {specs.Hook{Args: append([]string{"sh"}, write...)}, `add sh to hooks.args`},
		"another part":     {specs.Hook{Args: append([]string{"busybox", "sh"}, write...)}, `add sh to hooks.args`},
		"an argument":      {specs.Hook{Args: []string{"busybox", "touch", "/tmp/x"}}, "arguments that the profile does not list"},
		"listed":           {specs.Hook{Args: []string{"busybox", "touch", did}}, ""},
		"no time to do it": {specs.Hook{Args: []string{"busybox", "touch", did}, Timeout: new(0)}, "timeout"},
		"its name alone":   {specs.Hook{Args: []string{"/usr/bin/busybox"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(did)
			d := newPinned(t, "echo ran")
			d.setPolicy(t, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, hooks: {allow: [/usr/bin/busybox], args: [touch, \""+filepath.Dir(did)+"/*\"]}}\n")
			c.hook.Path = "/usr/bin/busybox"
			d.edit(t, func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{c.hook}} })
			out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
			switch {
			case c.why == "" && (code != 0 || !strings.Contains(out, "ran\n")):
				t.Errorf("exit code %d: %s", code, out)
			case c.why != "" && (code == 0 || !strings.Contains(out, c.why)):
				t.Errorf("exit code %d: %s", code, out)
			}
			if _, err := os.Stat(did); (err == nil) != (name == "listed") {
				t.Errorf("done: %v", err == nil)
			}
		})
	}
}

// A hook that a process names by /proc/PID/exe is run from a mount of the program
// that was judged: the pid may be another process's when it runs.
func TestHookOfAProcessIsHeld(t *testing.T) {
	d := newPinned(t, "echo ran")
	script := "/usr/bin/busybox"
	engine := exec.Command(script, "sleep", "1000")
	must(t, engine.Start())
	defer func() { _ = engine.Process.Kill(); _ = engine.Wait() }()
	said := filepath.Join(t.TempDir(), "said")
	d.setPolicy(t, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, hooks: {allow: [/usr/bin/busybox], args: [sh, \"*\"]}}\n")
	hook := specs.Hook{Path: fmt.Sprintf("/proc/%d/exe", engine.Process.Pid), Args: []string{"sh", "-c", "readlink /proc/self/exe >>" + said}}
	d.edit(t, func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{Prestart: []specs.Hook{hook}, CreateRuntime: []specs.Hook{hook}, CreateContainer: []specs.Hook{hook}} //nolint:staticcheck // deprecated, but runc runs it
	})
	if out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1"); code != 0 || !strings.Contains(out, "ran\n") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if n := strings.Count(read(t, said), "/state/@mnt/hook-"); n != 3 {
		t.Errorf("%d of 3 from a mount: %s", n, read(t, said))
	}
}
