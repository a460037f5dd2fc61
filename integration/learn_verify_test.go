package integration

import (
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Verify runs the workload in complain mode where that is in force: it does what the
// learned profile would not let it do, all of it is listed, and nothing is denied.
func TestLearnVerifyInComplainMode(t *testing.T) {
	l := newLearner(t, "", "sleep 1; echo x >/tmp/x; cat /tmp/x; echo fine")
	must(t, os.MkdirAll(l.bundle+"/rootfs/tmp", 0o777))
	l.learn(t, "web")
	verify := func() (string, int) {
		return l.does(t, tested.hatchctl, append([]string{"learn", "verify", "web", "--"}, l.container()...)...)
	}
	if out, code := verify(); code != 0 || !strings.Contains(out, "denies nothing of 1 runs") || !strings.Contains(out, "tightens ") || strings.Contains(out, "refuses") {
		t.Errorf("the same under enforce: %d\n%s", code, out)
	}
	l.hold(t, "mode: complain\nprofile: builtin/restricted\n")
	if out, code := verify(); code != 0 || !strings.Contains(out, "tightens ") {
		t.Errorf("the same in complain mode: %d\n%s", code, out)
	}
	editSpec(t, l.bundle, func(s *specs.Spec) {
		s.Process.Args = []string{"/bin/sh", "-ec", "sleep 1; mkdir /elsewhere; mount -t tmpfs none /tmp; echo mounted"}
		all := []string{"CAP_SYS_ADMIN", "CAP_CHOWN"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
		s.Linux.Seccomp = nil
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/host", Source: "/etc", Type: "bind", Options: []string{"rbind", "rw"}})
	})
	out, code := verify()
	if code != 1 || !strings.Contains(out, "mounted") {
		t.Errorf("something was denied, or nothing is told: %d\n%s", code, out)
	}
	for _, want := range []string{"refuses mounts[/host]", "tightens process.capabilities", "denies the call mount", `denies writing in "/`, "denies the capability CAP_SYS_ADMIN"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not told:\n%s", want, out)
		}
	}
	if left := l.hatchctl(t, "learn", "show"); strings.Contains(left, "verify-") {
		t.Errorf("the recording is left:\n%s", left)
	}
}
