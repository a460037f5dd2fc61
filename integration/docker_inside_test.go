package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// restrictedCaps are CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETUID (capability.h).
const restrictedCaps = "00000000000000eb"

func wantLines(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("missing %q in\n%s", w, got)
		}
	}
}

func TestDockerInside(t *testing.T) {
	eachDocker(t, dockerInside)
}

func dockerInside(t *testing.T, d *docker) {
	const look = `grep -E 'Cap(Eff|Bnd)|NoNew' /proc/self/status
echo 1 2>/dev/null >/proc/sys/kernel/panic && echo WROTE sys
echo h 2>/dev/null >/proc/sysrq-trigger && echo WROTE sysrq
mknod /tmp/n c 1 3 2>&1; mount -t tmpfs t /tmp 2>&1; mkdir /sys/x 2>&1
[ -n "$(head -n 1 /proc/kallsyms)" ] && echo KALLSYMS; [ -n "$(head -n 1 /proc/interrupts)" ] && echo INTERRUPTS
chroot / true 2>&1; true`
	got, code := d.run(t, "busybox", "sh", "-c", look)
	if code != 0 {
		t.Fatal(got)
	}
	wantLines(t, got, "CapEff:\t"+restrictedCaps, "CapBnd:\t"+restrictedCaps, "NoNewPrivs:\t1",
		"mknod: /tmp/n: Operation not permitted", "mount: permission denied", "can't create directory '/sys/x': Read-only file system", "chroot: can't change root directory to '/': Operation not permitted")
	for _, not := range []string{"WROTE", "KALLSYMS", "INTERRUPTS"} {
		if strings.Contains(got, not) {
			t.Errorf("%s in\n%s", not, got)
		}
	}
	// The same under plain runc, or the test proves nothing.
	if plain := d.do(t, "run", "--rm", "busybox", "sh", "-c", look); strings.Contains(plain, restrictedCaps) || !strings.Contains(plain, "KALLSYMS") {
		t.Errorf("tight without hatchdog:\n%s", plain)
	}
}

func TestDockerSetuidGainsNothing(t *testing.T) {
	eachDocker(t, dockerSetuidGainsNothing)
}

func dockerSetuidGainsNothing(t *testing.T, d *docker) {
	got, code := d.run(t, "-u", "1000", "busybox", "sh", "-c", "/suid/curious euid; grep CapBnd /proc/self/status")
	if code != 0 || !strings.HasPrefix(got, "1000\n") || !strings.Contains(got, "CapBnd:\t0000000000000000") {
		t.Error(code, got)
	}
	if plain := d.do(t, "run", "--rm", "-u", "1000", "busybox", "/suid/curious", "euid"); plain != "0\n" {
		t.Errorf("gains nothing without hatchdog: %s", plain)
	}
}

func TestDockerLimitsOnTheHost(t *testing.T) {
	eachDocker(t, dockerLimitsOnTheHost)
}

func dockerLimitsOnTheHost(t *testing.T, d *docker) {
	id := d.background(t, "busybox", "sleep", "600")
	read := func(controller, file string) string {
		found, _ := filepath.Glob("/sys/fs/cgroup/" + controller + "/docker/" + id + "/" + file)
		if len(found) == 0 {
			t.Fatalf("no %s of %s", file, id)
		}
		data, err := os.ReadFile(found[0])
		must(t, err)
		return strings.TrimSpace(string(data))
	}
	if got := read("pids", "pids.max"); got != "1024" {
		t.Errorf("pids.max %s", got)
	}
	d.do(t, "update", "--pids-limit", "100000", id)
	if got := read("pids", "pids.max"); got != "1024" {
		t.Errorf("pids.max after update %s", got)
	}
	d.do(t, "update", "--pids-limit", "50", "--memory", "64m", "--memory-swap", "128m", id)
	if got := read("pids", "pids.max"); got != "50" {
		t.Errorf("pids.max after a lower update %s", got)
	}
	if got := read("memory", "memory.limit_in_bytes"); got != "67108864" {
		t.Errorf("memory limit %s", got)
	}
}

func TestDockerExecGetsNoMore(t *testing.T) {
	eachDocker(t, dockerExecGetsNoMore)
}

func dockerExecGetsNoMore(t *testing.T, d *docker) {
	id := d.background(t, "busybox", "sleep", "600")
	for _, args := range [][]string{{}, {"--privileged"}, {"-u", "0"}, {"--privileged", "-u", "0"}} {
		got := d.do(t, append(append([]string{"exec"}, args...), id, "grep", "-E", "CapEff|CapBnd|NoNew", "/proc/self/status")...)
		wantLines(t, got, "CapEff:\t"+restrictedCaps, "CapBnd:\t"+restrictedCaps, "NoNewPrivs:\t1")
	}
	user := d.background(t, "-u", "1000", "busybox", "sleep", "600")
	got := d.do(t, "exec", "--privileged", "-u", "0", user, "grep", "CapEff", "/proc/self/status")
	wantLines(t, got, "CapEff:\t0000000000000000")
}

func TestDockerRefusals(t *testing.T) {
	eachDocker(t, dockerRefusals)
}

func dockerRefusals(t *testing.T, d *docker) {
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"privileged": {[]string{"--privileged"}, []string{"linux.devices", "devices.allow"}},
		"host pid":   {[]string{"--pid=host"}, []string{"linux.namespaces[pid]", "namespaces.host"}},
		"host net":   {[]string{"--net=host"}, []string{"linux.namespaces[network]", "namespaces.host"}},
		"host ipc":   {[]string{"--ipc=host"}, []string{"linux.namespaces[ipc]"}},
		"host uts":   {[]string{"--uts=host"}, []string{"linux.namespaces[uts]"}},
		"root":       {[]string{"-v", "/:/host"}, []string{"mounts[/host].source", "mounts.protect"}},
		"etc":        {[]string{"-v", "/etc:/x:ro"}, []string{"mounts[/x].source"}},
		"the socket": {[]string{"-v", d.dir + "/docker.sock:/s"}, []string{"mounts[/s].source"}},
		"a device":   {[]string{"--device", "/dev/kmsg"}, []string{"linux.devices", "/dev/kmsg"}},
		"a sysctl":   {[]string{"--sysctl", "net.ipv4.ip_forward=1"}, []string{"linux.sysctl", "sysctls.allow"}},
	} {
		got, code := d.run(t, append(c.args, "busybox", "true")...)
		if code == 0 {
			t.Errorf("%s: started", name)
		}
		t.Logf("%s: %s", name, got)
		wantLines(t, got, append(c.want, "hatchdog: container", "refused by policy", "(policy: builtin/", ". Remedy: ", "hatchctl explain")...)
		line, _, _ := strings.Cut(got[max(0, strings.Index(got, "hatchdog: container")):], "\n")
		wantLines(t, line, "Details: ")
	}
	if got, code := d.run(t, "--cap-add", "ALL", "busybox", "grep", "CapEff", "/proc/self/status"); code != 0 || !strings.Contains(got, restrictedCaps) {
		t.Errorf("--cap-add ALL is taken away silently: %d %s", code, got)
	}
}

// The state of Docker is protected where it is, whichever way its images are kept.
func TestDockerEngineData(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		for _, of := range []string{"", "/" + d.images, "/containers"} {
			got, code := d.run(t, "-v", d.dir+"/data"+of+":/s", "busybox", "true")
			if code == 0 {
				t.Errorf("%q: started", of)
			}
			wantLines(t, got, "mounts[/s].source", "the state of Docker", "refused by policy")
		}
	})
}

func TestDockerOrdinaryUse(t *testing.T) {
	eachDocker(t, dockerOrdinaryUse)
}

func dockerOrdinaryUse(t *testing.T, d *docker) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777))
	must(t, os.WriteFile(dir+"/f", []byte("from the host"), 0o644))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a directory":    {[]string{"-v", dir + ":/d", "busybox", "sh", "-c", "cat /d/f; echo x >/d/out; grep ' /d ' /proc/self/mountinfo"}, "from the host"},
		"nosuid, nodev":  {[]string{"-v", dir + ":/d", "busybox", "sh", "-c", "grep ' /d ' /proc/self/mountinfo"}, "nosuid,nodev"},
		"read-only":      {[]string{"-v", dir + ":/d:ro", "busybox", "sh", "-c", "echo x 2>&1 >/d/out"}, "Read-only file system"},
		"a volume":       {[]string{"-v", "hatchdog-v:/d", "busybox", "sh", "-c", "echo kept >/d/x; cat /d/x"}, "kept"},
		"tmpfs":          {[]string{"--tmpfs", "/d", "busybox", "sh", "-c", "touch /d/x && mount | grep ' /d '"}, "tmpfs on /d"},
		"read-only root": {[]string{"--read-only", "busybox", "sh", "-c", "touch /x 2>&1"}, "Read-only file system"},
		"init":           {[]string{"--init", "busybox", "sh", "-c", "cat /proc/1/comm"}, "docker-init"},
		"a terminal":     {[]string{"-t", "busybox", "sh", "-c", "tty"}, "/dev/pts/0"},
		"hosts":          {[]string{"--add-host", "there:10.1.2.3", "busybox", "cat", "/etc/hosts"}, "10.1.2.3"},
		"the network":    {[]string{"busybox", "sh", "-c", "ip addr show eth0"}, "inet "},
	} {
		got, _ := d.run(t, c.args...)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q in\n%s", name, c.want, got)
		}
	}
	d.try(t, "volume", "rm", "hatchdog-v")
	if _, code := d.run(t, "busybox", "sh", "-c", "exit 42"); code != 42 {
		t.Errorf("exit code %d", code)
	}
}

func TestDockerLife(t *testing.T) {
	eachDocker(t, dockerLife)
}

func dockerLife(t *testing.T, d *docker) {
	id := d.background(t, "--name", "life", "busybox", "sh", "-c", "trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.1; done")
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "up") })
	other := d.background(t, "--net=container:life", "busybox", "sleep", "600")
	if a, b := d.do(t, "exec", id, "readlink", "/proc/self/ns/net"), d.do(t, "exec", other, "readlink", "/proc/self/ns/net"); a != b {
		t.Errorf("--net=container: %s %s", a, b)
	}
	wantLines(t, d.do(t, "top", id), "sleep")
	d.do(t, "pause", id)
	d.do(t, "unpause", id)
	wantLines(t, d.do(t, "stats", "--no-stream", id), "life")
	d.do(t, "cp", "/etc/hostname", id+":/tmp/copied")
	d.do(t, "exec", id, "test", "-s", "/tmp/copied")
	d.do(t, "stop", id)
	wantLines(t, d.do(t, "logs", id), "term")
	wantLines(t, d.do(t, "inspect", "-f", "{{.State.ExitCode}}", id), "3")
	d.do(t, "start", id)
	wantLines(t, d.do(t, "exec", id, "grep", "CapEff", "/proc/self/status"), restrictedCaps)
	d.do(t, "restart", "-t", "1", id)
	wantLines(t, d.do(t, "exec", id, "grep", "CapEff", "/proc/self/status"), restrictedCaps)
	wantLines(t, d.do(t, "commit", id, "committed"), "sha256:")
}

func TestDockerNothingLeftBehind(t *testing.T) {
	eachDocker(t, dockerNothingLeftBehind)
}

func dockerNothingLeftBehind(t *testing.T, d *docker) {
	records := func() int {
		found, _ := filepath.Glob(d.dir + "/state/*/*/creator")
		return len(found)
	}
	before := records()
	id := d.background(t, "busybox", "sleep", "600")
	if records() != before+1 {
		t.Fatal("no record of a container that runs")
	}
	d.do(t, "kill", id)
	d.do(t, "rm", "-f", id)
	if got := records(); got != before {
		t.Errorf("%d records, before %d", got, before)
	}
	d.run(t, "--privileged", "busybox", "true")
	if got := records(); got != before {
		t.Errorf("a refused container left %d records, before %d", got, before)
	}
}
