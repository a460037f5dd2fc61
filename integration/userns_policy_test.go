package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/moby/sys/capability"
)

// heldTo puts another policy under dockerd for one test.
func (d *docker) heldTo(t *testing.T, extra string) {
	t.Helper()
	d.underRunc(t, pinnedRunc(t), "", extra)
}

// underRunc lets dockerd's hatchdog use another low-level runtime.
func (d *docker) underRunc(t *testing.T, runc, accept, extra string) {
	t.Helper()
	file := d.dir + "/policy.yaml"
	was := read(t, file)
	t.Cleanup(func() { must(t, os.WriteFile(file, []byte(was), 0o600)) })
	text := fmt.Sprintf("version: 1\nstateDir: %s/state\nids: {dir: %s/ids}\naudit: {path: %s/log/audit.jsonl}\nruntime: {path: %s, %s}\n%s", d.dir, d.dir, d.dir, runc, accepts(accept), extra)
	must(t, os.WriteFile(file, []byte(text), 0o600))
}

// loosePolicy grants whatever can be granted, so that what is left is the user
// namespace alone.
func loosePolicy() string {
	var caps []string
	for _, c := range capability.ListKnown() {
		caps = append(caps, "CAP_"+strings.ToUpper(c.String()))
	}
	return `profile: loose
profiles:
  loose:
    extends: builtin/baseline
    capabilities: {max: [` + strings.Join(caps, ", ") + `]}
    privilege: {noNewPrivileges: false}
    mounts: {masked: [], readOnly: []}
    seccomp: {table: none}
    egress: {default: allow, allow: [], deny: []}
    userns: {mode: required}
`
}

// hatchdogRun is hatchdog called by hand.
func hatchdogRun(policy, dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(tested.hatchdog, append([]string{"--root", dir + "/root"}, args...)...)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+policy)
	return cmd
}
