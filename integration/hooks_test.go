package integration

import (
	"fmt"
	"os"
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
