package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// direct calls hatchdog as an engine does, with a low-level runtime that leaves
// a marker where it is started: the place for failures, not for effects.
type direct struct {
	dir    string // everything is below
	bundle string
	policy string
	bin    string
	piped  bool // its streams are pipes: crun would be given files
}

const fakeRuntime = `#!/bin/sh
here=$(dirname "$0")
case "$*" in
--version) echo "runc version 1.5.2"; exit 0 ;;
features) echo '{"ociVersionMin":"1.0.0","mountOptions":["rro","rnosuid","rnodev"],"linux":{"namespaces":["cgroup","time"]}}'; exit 0 ;;
esac
echo "$@" >>"$here/started"
[ -z "$SLOW" ] || sleep "$SLOW"
[ -z "$FAIL" ] || exit "$FAIL"
case "$*" in
*" create "*)
	for word; do [ "$last" != --bundle ] || cat "$word/config.json" >"$here/spec" 2>/dev/null; last=$word; done
	mkdir -p "$here/root/c1"
	[ -e "$here/root/c1/state.json" ] || echo "{\"init_process_pid\":4194303,\"init_process_start\":1}" >"$here/root/c1/state.json" # of a process that is dead
	;;
*" delete "*) rm -rf "$here/root/c1" ;;
*" exec "* | *" update "*)
	while [ $# -gt 0 ]; do
		case "$1" in
		--process | -p | --resources | -r) file=$2 ;;
		--process=* | -p=* | --resources=* | -r=*) file=${1#*=} ;;
		esac
		shift
	done
	[ "$file" != - ] || file=/dev/stdin
	[ -z "$file" ] || cat "$file" >"$here/given"
	;;
esac
[ -z "$KILL" ] || kill -9 "$PPID"
`

func newDirect(t *testing.T) *direct {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	d := &direct{dir: dir, bundle: makeBundle(t, "true"), policy: filepath.Join(dir, "policy.yaml"), bin: tested.hatchdog}
	must(t, os.WriteFile(dir+"/runc", []byte(fakeRuntime), 0o755))
	d.setPolicy(t, "")
	return d
}

func (d *direct) setPolicy(t *testing.T, extra string) {
	t.Helper()
	text := fmt.Sprintf("version: 1\nstateDir: %s/state\nids: {dir: %s/ids}\naudit: {path: %s/log/audit.jsonl}\nruntime: {path: %s/runc}\n%s", d.dir, d.dir, d.dir, d.dir, extra)
	must(t, os.WriteFile(d.policy, []byte(text), 0o600))
}

// call runs hatchdog with args behind the global flags.
func (d *direct) call(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	cmd := d.command(env, args...)
	if d.piped {
		return d.callPiped(t, cmd)
	}
	// A file and not a pipe, which a container that lives would keep open.
	out, err := os.CreateTemp(d.dir, "output-")
	must(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	_ = cmd.Run()
	said, err := os.ReadFile(out.Name())
	must(t, err)
	return string(said), cmd.ProcessState.ExitCode()
}

func (d *direct) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(d.bin, append([]string{"--root", d.dir + "/root", "--log", d.dir + "/log.json", "--log-format", "json"}, args...)...)
	cmd.Env = append(append(os.Environ(), "HATCHDOG_POLICY="+d.policy), env...)
	return cmd
}

func (d *direct) create(t *testing.T, env ...string) (string, int) {
	t.Helper()
	return d.call(t, env, "create", "--bundle", d.bundle, "c1")
}

// starts is how often the low-level runtime was started.
func (d *direct) starts(t *testing.T) int {
	t.Helper()
	data, _ := os.ReadFile(d.dir + "/started")
	return strings.Count(string(data), "\n")
}

// wantRefused asserts what every failure has in common: nothing was started,
// nothing is left, and the engine's log has one line that says why.
func (d *direct) wantRefused(t *testing.T, out string, code int, why string) {
	t.Helper()
	if code == 0 {
		t.Errorf("exit code 0\n%s", out)
	}
	if n := d.starts(t); n != 0 {
		t.Errorf("the low-level runtime was started %d times", n)
	}
	if left, _ := filepath.Glob(d.dir + "/state/*/c1"); len(left) > 0 {
		t.Errorf("a record is left: %v", left)
	}
	if left, _ := filepath.Glob(d.bundle + "/.hatchdog-*"); len(left) > 0 {
		t.Errorf("left in the bundle: %v", left)
	}
	d.wantLogged(t, why)
}

func (d *direct) wantLogged(t *testing.T, why string) {
	t.Helper()
	data, err := os.ReadFile(d.dir + "/log.json")
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	var entry struct{ Level, Msg, Time string }
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &entry) != nil || entry.Level != "error" || entry.Time == "" {
		t.Errorf("the engine's log: %s", data)
	}
	if !strings.Contains(entry.Msg, why) {
		t.Errorf("%q is not in %q", why, entry.Msg)
	}
	must(t, os.Remove(d.dir+"/log.json"))
}

// wantCreated asserts that a create comes through, and to the end.
func (d *direct) wantCreated(t *testing.T) {
	t.Helper()
	before := d.starts(t)
	if out, code := d.create(t); code != 0 || d.starts(t) != before+1 {
		t.Fatalf("a create afterwards: exit code %d\n%s", code, out)
	}
	if _, err := os.Stat(d.dir + "/log.json"); err == nil {
		data, _ := os.ReadFile(d.dir + "/log.json")
		t.Errorf("the engine's log: %s", data)
	}
	if out, code := d.call(t, nil, "delete", "--force", "c1"); code != 0 {
		t.Errorf("delete: exit code %d\n%s", code, out)
	}
	if left, _ := filepath.Glob(d.dir + "/state/*/c1"); len(left) > 0 {
		t.Errorf("a record is left after delete: %v", left)
	}
}

// accepts is the policy's runtime.accept for a version of which everything that
// is known may be open.
func accepts(version string) string {
	if version == "" {
		return "accept: []"
	}
	return fmt.Sprintf(`accept: [{version: %q, because: the tests run it, open: [CVE-2019-5736, CVE-2019-16884, CVE-2019-19921, CVE-2021-30465, CVE-2023-27561, CVE-2023-28642, CVE-2024-21626, `+
		`CVE-2024-45310, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881, CVE-2022-27650, CVE-2025-24965]}]`, version)
}
