package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What hatchdog adds to the environment of runc's own processes is not in that of
// a container: not its first process's, not a further one's, not its hook's.
func TestRuntimesEnvironmentIsNotTheContainers(t *testing.T) {
	for name, runtime := range map[string]string{
		"pinned": fmt.Sprintf("{path: %s}", pinnedRunc(t)),
		"debian": "{path: /usr/sbin/runc, " + accepts("runc 1.1.5+ds1") + "}",
	} {
		t.Run(name, func(t *testing.T) {
			hook, said := listedHook(t)
			d := newReal(t, runtime, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, hooks: {allow: ["+hook+"]}}\n")
			d.edit(t, func(s *specs.Spec) {
				s.Process.Args = []string{"/bin/sh", "-c", "export -p >/dev/shm/first; while :; do read -t 1 x; done"}
				s.Process.Env = []string{"PATH=/bin", "MARK=here"}
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"mode=1777"}})
				s.Hooks = &specs.Hooks{
					CreateRuntime:  []specs.Hook{{Path: hook, Args: []string{"site-hook"}}},
					StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "export -p >/dev/shm/hook"}, Env: []string{"PATH=/bin", "MARK=here"}}},
				}
			})
			for _, args := range [][]string{{"create", "--bundle", d.bundle, "c1"}, {"start", "c1"}} {
				if out, code := d.call(t, nil, args...); code != 0 {
					t.Fatal(out)
				}
			}
			process := filepath.Join(d.dir, "process.json")
			must(t, os.WriteFile(process, []byte(`{"user":{"uid":0,"gid":0},"cwd":"/","env":["PATH=/bin","MARK=here"],
"args":["/bin/sh","-c","export -p; while read -r x; do echo \"$x\"; done </dev/shm/hook; until read -r x </dev/shm/first; do read -t 1 y; done; while read -r x; do echo \"$x\"; done </dev/shm/first"]}`), 0o600))
			out, code := d.call(t, nil, "exec", "--process", process, "c1")
			if code != 0 {
				t.Fatal(out)
			}
			if n := strings.Count(out, "MARK='here'"); n != 3 || strings.Contains(out, "GOMAXPROCS") {
				t.Errorf("%d of 3 environments: %s", n, out)
			}
			if has := read(t, said); !strings.Contains(has, "GOMAXPROCS=1\n") {
				t.Errorf("docs/performance.md says that a hook without an environment has it: %s", has)
			}
		})
	}
}
