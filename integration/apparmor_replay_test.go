package integration

import (
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Where the host has AppArmor, a process that a volume or a link stands for procfs
// to runs without the label that its spec names, with the runc of that day (those of
// CVE-2019-16884 know no control groups of version 2). Behind hatchdog it does not run.
func TestAppArmorReplays(t *testing.T) {
	require(t, "apparmor")
	mustRun(t, tested.hatchctl, "apparmor", "load")
	real := specs.Mount{Destination: "/srv/real", Type: "proc", Source: "proc"}
	labelled := func(mounts ...specs.Mount) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Process.ApparmorProfile = "hatchdog-restricted"
			s.Process.Args = []string{"/bin/sh", "-c", "exec >/out 2>&1; read l </srv/real/self/attr/current; echo label $l"}
			s.Mounts = append(s.Mounts, mounts...)
		}
	}
	linked := func(t *testing.T, rootfs string) {
		t.Helper()
		must(t, os.Remove(rootfs+"/proc"))
		must(t, os.MkdirAll(rootfs+"/srv/p", 0o755))
		must(t, os.Symlink("srv/p", rootfs+"/proc"))
	}
	elsewhere := links(t, map[string]string{"self/fd": "/srv/real/self/fd", "self/attr/exec": "/srv/real/self/comm", "self/status": "/srv/real/self/status"})
	replayAll(t, map[string]replay{
		"CVE-2023-28642": {"old-runc-2023", "1.1.4", labelled(real, bindOf(elsewhere, "/srv/p")), linked, "label unconfined", "/proc of the image"},
	})
	// The same label without them.
	r := replay{runtime: "old-runc-2023", version: "1.1.4", edit: labelled(real)}
	d := newDirect(t)
	d.edit(t, r.edit)
	d.edit(t, func(s *specs.Spec) { s.Root.Readonly, s.Version = false, "1.0.2" })
	if out := r.plainly(t, d); !strings.Contains(out, "label hatchdog-restricted (enforce)") {
		t.Errorf("the label of a process that nothing misleads: %s", out)
	}
}
