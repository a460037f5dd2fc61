package integration

import (
	"os"
	"strings"
	"testing"
)

// The unit loads the profiles, before the engines and after the host's own.
func TestSystemdAppArmorUnit(t *testing.T) {
	require(t, "apparmor", "systemd")
	unit, err := os.ReadFile("../deploy/systemd/hatchdog-apparmor.service")
	must(t, err)
	const installed = "/usr/local/bin/hatchctl"
	if strings.Count(string(unit), installed) != 2 {
		t.Fatalf("the unit does not call %s twice", installed)
	}
	file := "/run/systemd/system/hatchdog-apparmor.service"
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(unit), installed, tested.hatchctl)), 0o644))
	t.Cleanup(func() {
		must(t, os.Remove(file))
		run(t, "systemctl", "daemon-reload")
	})
	mustRun(t, "systemctl", "daemon-reload")
	unloadAll(t)
	mustRun(t, "systemctl", "start", "hatchdog-apparmor")
	mustRun(t, tested.hatchctl, "apparmor", "status")
	complainMode(t)
	mustRun(t, "systemctl", "reload", "hatchdog-apparmor")
	mustRun(t, tested.hatchctl, "apparmor", "status")
	mustRun(t, "systemctl", "stop", "hatchdog-apparmor")
	mustRun(t, tested.hatchctl, "apparmor", "status") // stopping does not open what runs
	order := mustRun(t, "systemctl", "show", "--property=After", "--property=Before", "hatchdog-apparmor")
	wantLines(t, order, "apparmor.service", "docker.service", "containerd.service")
}
