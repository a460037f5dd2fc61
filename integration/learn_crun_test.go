package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Over crun the same is learned as over runc: crun's own start-up is left out, under
// whatever names its processes have.
func TestLearnOverTheNewestCrun(t *testing.T) {
	d, _ := newestCrun(t, "")
	must(t, os.MkdirAll(d.bundle+"/rootfs/tmp", 0o777))
	d.edit(t, func(s *specs.Spec) {
		s.Root.Readonly = false
		s.Process.Args = []string{"/bin/sh", "-ec", "echo x >/tmp/x; cat /tmp/x; sleep 1"}
	})
	learn := func(name string, command ...string) string {
		t.Helper()
		cmd := exec.Command(tested.hatchctl, append([]string{"--policy", d.policy, "learn", "--as", name, "--"}, command...)...)
		cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+d.policy)
		if out, code := d.callPiped(t, cmd); code != 0 {
			t.Fatalf("%d: %s", code, out)
		}
		return mustRun(t, tested.hatchctl, "--policy", d.policy, "learn", "show", name)
	}
	text := learn("web", d.bin, "--root", d.dir+"/root", "run", "--bundle", d.bundle, "c1")
	if strings.Contains(text, "crun") || !strings.Contains(text, `executed "/bin/sh"`) {
		t.Errorf("crun's own is learned, or nothing:\n%s", text)
	}
	for _, own := range []string{"mount", "pivot_root", "setns", "unshare", "sethostname", "keyctl"} {
		if strings.Contains(text, `"`+own) {
			t.Errorf("crun's own %s is told:\n%s", own, text)
		}
	}
}
