package integration

import (
	"strings"
	"testing"
)

func TestSystemdDriver(t *testing.T) {
	require(t, "systemd", "cgroup2")
	eachDocker(t, systemdDriver)
}

func systemdDriver(t *testing.T, d *docker) {
	if got := d.do(t, "info", "-f", "{{.CgroupDriver}} {{.CgroupVersion}}"); got != "systemd 2\n" {
		t.Errorf("docker uses %s", got)
	}
	d.withPolicy(t, "", small)
	holdsCeilings(t, d)
	hitsMemory(t, d)
}

func TestSystemdStopAndRestart(t *testing.T) {
	require(t, "systemd", "cgroup2")
	eachDocker(t, systemdStopAndRestart)
}

func systemdStopAndRestart(t *testing.T, d *docker) {
	stopsAtOnce(t, d)
}

// Annotations that runc hands to systemd as properties of the scope do not come
// through.
func TestSystemdProperties(t *testing.T) {
	require(t, "systemd", "cgroup2")
	d := newReal(t, "{path: "+pinnedRunc(t)+"}", small)
	editDocument(t, d.bundle, func(s spec) {
		s.linux()["cgroupsPath"] = "system.slice:hatchdog:c1"
		within(s, "annotations")["org.systemd.property.Description"] = "'forged'"
	})
	if out, code := d.call(t, nil, "--systemd-cgroup", "create", "--bundle", d.bundle, "c1"); code != 0 {
		t.Fatalf("create: exit code %d\n%s", code, out)
	}
	// What systemd was not told of it takes away when it reads its units anew.
	mustRun(t, "systemctl", "daemon-reload")
	wantFiles(t, "/sys/fs/cgroup/system.slice/hatchdog-c1.scope", map[string]string{
		"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "20", "cpu.max": "50000 100000",
	})
	out := mustRun(t, "systemctl", "show", "hatchdog-c1.scope", "-p", "Description,MemoryMax,MemorySwapMax,TasksMax,CPUQuotaPerSecUSec")
	wantLines(t, out, "MemoryMax=67108864", "MemorySwapMax=0", "TasksMax=20", "CPUQuotaPerSecUSec=500ms")
	if strings.Contains(out, "forged") {
		t.Errorf("an annotation reached systemd:\n%s", out)
	}
	// An update forgets what stood in unified; systemd does not.
	if out, code := d.call(t, nil, "--systemd-cgroup", "update", "--pids-limit", "10", "c1"); code != 0 {
		t.Errorf("update: exit code %d\n%s", code, out)
	}
	mustRun(t, "systemctl", "daemon-reload")
	wantFiles(t, "/sys/fs/cgroup/system.slice/hatchdog-c1.scope", map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "10"})
}
