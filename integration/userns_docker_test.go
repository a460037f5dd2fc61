package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A device node has the numbers that were asked for, whatever the host has at
// the container's path.
func TestUserNSDevices(t *testing.T) {
	eachDocker(t, userNSDevices)
}

func userNSDevices(t *testing.T, d *docker) {
	d.heldTo(t, `profile: dev
profiles:
  dev:
    extends: builtin/restricted
    devices: {allow: [{type: c, major: 1, minor: 5, access: rwm}, {type: c, major: 1, minor: 8, access: rwm}]}
    userns: {mode: required}
`)
	got, code := d.run(t, "--device", "/dev/zero:/dev/kmsg", "--device", "/dev/random:/dev/sub/own:r", "busybox", "sh", "-c",
		"stat -c '%t:%T %u:%g %n' /dev/kmsg /dev/sub/own /dev/null; head -c 4 /dev/kmsg | od -An -tx1; head -c 1 /dev/sub/own >/dev/null && echo read; echo x >/dev/null && echo written")
	if code != 0 {
		t.Fatal(got)
	}
	wantLines(t, got, "1:5 0:0 /dev/kmsg", "1:8 0:0 /dev/sub/own", "1:3 ", "00 00 00 00", "read", "written")
	if got, code := d.run(t, "--device", "/dev/kmsg", "busybox", "true"); code == 0 {
		t.Errorf("a device that the profile does not list: %s", got)
	}
}

// One that joins another's namespaces shares its user namespace.
func TestUserNSJoined(t *testing.T) {
	eachDocker(t, userNSJoined)
}

func userNSJoined(t *testing.T, d *docker) {
	id := d.background(t, "--name", "first", "--ipc=shareable", "busybox", "sleep", "600")
	base := mappedRange(t, d.hostPid(t, id))
	for _, how := range []string{"--net=container:first", "--pid=container:first", "--ipc=container:first"} {
		other := d.background(t, how, "busybox", "sleep", "600")
		if got := mappedRange(t, d.hostPid(t, other)); got != base {
			t.Errorf("%s: %d, want %d", how, got, base)
		}
		a, b := mustRun(t, "readlink", fmt.Sprintf("/proc/%d/ns/user", d.hostPid(t, id))), mustRun(t, "readlink", fmt.Sprintf("/proc/%d/ns/user", d.hostPid(t, other)))
		if a != b {
			t.Errorf("%s: another user namespace", how)
		}
		wantLines(t, d.do(t, "exec", other, "sh", "-c", "ls /sys/class/net; stat -c %u /bin/busybox; ls /dev/mqueue"), "lo", "\n0\n")
	}
	out, code := d.hatchctl(t, "ids")
	if code != 0 || strings.Count(out, fmt.Sprint(base)) != 4 || !strings.Contains(out, "  first  ") {
		t.Errorf("four containers hold one range:\n%s", out)
	}
	// The first may go; the range is held until the last has gone.
	d.do(t, "rm", "-f", "first")
	another := d.background(t, "busybox", "sleep", "600")
	if mappedRange(t, d.hostPid(t, another)) == base {
		t.Error("the range was given away while a container has it")
	}
}

// What auto goes without, required refuses; both name what is in the way.
func TestUserNSThatCannotBe(t *testing.T) {
	eachDocker(t, userNSThatCannotBe)
}

func userNSThatCannotBe(t *testing.T, d *docker) {
	ram := filepath.Join(d.dir, "ram")
	must(t, os.Mkdir(ram, 0o755))
	must(t, syscall.Mount("ramfs", ram, "ramfs", 0, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(ram, 0)) })
	type inTheWay struct {
		args []string
		why  string
	}
	cases := map[string]inTheWay{
		"fs": {[]string{"-v", ram + ":/x"}, "mount /x (from " + ram + "): its file system (type 0x858458f6) takes no id mapping"},
	}
	for name, c := range cases {
		d.heldTo(t, "profile: restricted\n")
		out, code := d.try(t, append(append([]string{"run", "-d", "--runtime=hatchdog"}, c.args...), "busybox", "sleep", "600")...)
		if code != 0 {
			t.Errorf("%s: %s", name, out)
			continue
		}
		id := strings.TrimSpace(out)
		if data := read(t, fmt.Sprintf("/proc/%d/uid_map", d.hostPid(t, id))); !strings.Contains(data, "4294967295") {
			t.Errorf("%s: %s", name, data)
		}
		explained, _ := d.hatchctl(t, "explain", "--json", id)
		wantLines(t, explained, "no user namespace: ", c.why)
		d.do(t, "rm", "-f", id)
		d.heldTo(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
		out, code = d.run(t, append(c.args, "busybox", "true")...)
		if code == 0 {
			t.Errorf("%s: started although a user namespace is required", name)
		}
		wantLines(t, out, "the profile requires a user namespace", c.why, "userns.mode")
	}
}

func TestUserNSVolumes(t *testing.T) {
	eachDocker(t, userNSVolumes)
}

func userNSVolumes(t *testing.T, d *docker) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for _, mode := range []string{"transparent", "shifted", "ro"} {
		must(t, os.Mkdir(dir+"/"+mode, 0o777))
		must(t, os.Chmod(dir+"/"+mode, 0o777))
		must(t, os.WriteFile(dir+"/"+mode+"/f", []byte("x"), 0o600))
	}
	d.heldTo(t, fmt.Sprintf(`profile: p
profiles:
  p:
    extends: builtin/restricted
    userns:
      mode: required
      volumes: {rules: [{path: %s/shifted, mode: shifted}, {path: %s/ro, mode: ro}]}
`, dir, dir))
	id := d.background(t, "-v", dir+"/transparent:/t", "-v", dir+"/shifted:/s", "-v", dir+"/ro:/r", "busybox", "sleep", "600")
	base := mappedRange(t, d.hostPid(t, id))
	got := d.do(t, "exec", id, "sh", "-c", `stat -c '%u %n' /t/f /s/f /r/f; cat /t/f /r/f; echo; cat /s/f 2>&1; echo y 2>&1 >/s/f; touch /t/new /s/new; touch /r/new 2>&1; chown 5 /s/f 2>&1`+"; true")
	wantLines(t, got, "0 /t/f", "65534 /s/f", "0 /r/f", "xx", "cat: can't open '/s/f': Permission denied", "/s/f: Permission denied",
		"touch: /r/new: Read-only file system", "chown: /s/f: Operation not permitted")
	for file, want := range map[string]string{"transparent/new": "0:0", "shifted/new": fmt.Sprintf("%d:%d", base, base)} {
		if got := ownerOf(t, dir+"/"+file); got != want {
			t.Errorf("%s belongs to %s, want %s", file, got, want)
		}
	}
}

// Setuid programs and file capabilities work inside, where noNewPrivileges
// does not forbid it, and mean nothing outside.
func TestUserNSSetuidInside(t *testing.T) {
	eachDocker(t, userNSSetuidInside)
}

func userNSSetuidInside(t *testing.T, d *docker) {
	d.heldTo(t, strings.Replace(loosePolicy(), "required", "required, volumes: {default: transparent}", 1))
	got, code := d.run(t, "--cap-add=SETFCAP", "-u", "1000", "busybox", "sh", "-c", "/suid/curious euid; cat /proc/self/uid_map")
	if code != 0 || !strings.HasPrefix(got, "0\n") || strings.Contains(got, "4294967295") {
		t.Error(code, got)
	}
	archive, err := os.ReadFile(cached(t, "servers-*.tar"))
	must(t, err)
	d.importImage(t, "servers", archive)
	t.Cleanup(func() { d.try(t, "rmi", "-f", "servers", "withcaps") })
	id := d.background(t, "--cap-add=ALL", "servers", "sleep", "600")
	out, code := d.try(t, "exec", id, "sh", "-ec", "cp /bin/cat /bin/capcat; chmod 755 /bin/capcat; setcap cap_dac_override+ep /bin/capcat; getcap /bin/capcat; echo secret >/only; chmod 600 /only; setfacl -m u:33:r /etc/hostname 2>&1 || true")
	if code != 0 {
		t.Skipf("the image has no setcap: %s", out)
	}
	wantLines(t, d.do(t, "exec", "-u", "1000", id, "sh", "-c", "/bin/capcat /only; cat /only 2>&1; true"), "secret", "Permission denied")
	d.do(t, "commit", id, "withcaps")
	again := d.background(t, "--cap-add=ALL", "withcaps", "sleep", "600")
	wantLines(t, d.do(t, "exec", "-u", "1000", again, "/bin/capcat", "/only"), "secret")
}

func TestUserNSOrdinaryUse(t *testing.T) {
	eachDocker(t, userNSOrdinaryUse)
}

func userNSOrdinaryUse(t *testing.T, d *docker) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"tmpfs uid":  {[]string{"--tmpfs", "/d:uid=33,gid=44,mode=700", "busybox", "stat", "-c", "%u:%g", "/d"}, "33:44"},
		"a user":     {[]string{"-u", "33:44", "busybox", "sh", "-c", "id -u; echo to stderr >/dev/stderr; touch /tmp/x; stat -c %u:%g /tmp/x"}, "33:44"},
		"stderr":     {[]string{"busybox", "sh", "-c", "echo reopened >/dev/stderr"}, "reopened"},
		"a terminal": {[]string{"-t", "busybox", "sh", "-c", "tty; stat -c %u:%g $(tty)"}, "0:5"},
		"init":       {[]string{"--init", "busybox", "cat", "/proc/1/comm"}, "docker-init"},
		"ping group": {[]string{"busybox", "cat", "/proc/sys/net/ipv4/ping_group_range"}, "0\t65535"},
		"low port":   {[]string{"busybox", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"}, "0\n"},
		"shm":        {[]string{"--shm-size=16m", "busybox", "sh", "-c", "touch /dev/shm/x && df -k /dev/shm"}, "16384"},
		"time":       {[]string{"busybox", "readlink", "/proc/self/ns/time"}, "time:["},
		"root":       {[]string{"busybox", "sh", "-c", "rm /etc/passwd && mv /etc/group /moved && mkdir -p /bin/x && echo changed"}, "changed"},
	} {
		got, code := d.run(t, c.args...)
		if code != 0 || !strings.Contains(strings.ReplaceAll(got, "\r", ""), c.want) {
			t.Errorf("%s: exit code %d, want %q in\n%s", name, code, c.want, got)
		}
	}
	id := d.background(t, "busybox", "sh", "-c", "echo out; echo err >&2; sleep 600")
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "out") })
	if got, code := d.try(t, "exec", "-u", "100000", id, "true"); code == 0 || !strings.Contains(got, "0 to 65535") {
		t.Errorf("exec as a user that is not there: %d %s", code, got)
	}
	wantLines(t, d.do(t, "exec", "-u", "33", id, "sh", "-c", "echo e >/dev/stderr; id -u"), "33")
}

func TestUserNSSixtyFourAtOnce(t *testing.T) {
	eachDocker(t, userNSSixtyFourAtOnce)
}

func userNSSixtyFourAtOnce(t *testing.T, d *docker) {
	const n = 64
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			out, code := d.try(t, "run", "-d", "--net=none", "--runtime=hatchdog", "busybox", "sleep", "600")
			if code != 0 {
				t.Errorf("container %d: %s", i, out)
			}
			ids[i] = strings.TrimSpace(out)
		})
	}
	wg.Wait()
	t.Cleanup(func() { d.try(t, append([]string{"rm", "-f"}, ids...)...) })
	if t.Failed() {
		return
	}
	held := map[int]string{}
	for _, id := range ids {
		base := mappedRange(t, d.hostPid(t, id))
		if other, twice := held[base]; twice {
			t.Errorf("%s and %s have the range %d", id, other, base)
		}
		held[base] = id
	}
	d.do(t, append([]string{"rm", "-f"}, ids...)...)
	out, _ := d.hatchctl(t, "ids", "--json")
	for _, id := range ids {
		if strings.Contains(out, id) {
			t.Errorf("%s holds ids and is gone", id)
		}
	}
}

// Debian's runc knows neither per-mount mappings nor how to read the mapping of
// a user namespace that it joins. Debian's Docker alone runs with it: a current
// one asks for a time namespace, which that runc does not know.
func TestUserNSDebiansRunc(t *testing.T) {
	d := dockers[0].start(t)
	version := strings.Fields(mustRun(t, "/usr/sbin/runc", "--version"))
	if len(version) < 3 {
		t.Fatal(version)
	}
	d.underRunc(t, "/usr/sbin/runc", "runc "+version[2], "")
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	id := d.background(t, "--name", "deb", "-v", dir+":/d", "busybox", "sleep", "600")
	base := mappedRange(t, d.hostPid(t, id))
	wantLines(t, d.do(t, "exec", id, "sh", "-c", "touch /d/new /made; stat -c %u:%g /d/new /bin/busybox; cat /dev/null && echo null"), "0:0\n0:0", "null")
	if got := ownerOf(t, dir+"/new"); got != "0:0" {
		t.Error(got)
	}
	other := d.background(t, "--net=container:deb", "busybox", "sleep", "600")
	if got := mappedRange(t, d.hostPid(t, other)); got != base {
		t.Errorf("joined: %d, want %d", got, base)
	}
	d.do(t, "restart", "-t", "0", id)
	wantLines(t, d.do(t, "exec", id, "stat", "-c", "%u:%g", "/made"), "0:0")
}

// A file descriptor of the host's root that leaked in opens nothing: the file
// belongs to nobody here.
func TestUserNSLeakedDescriptor(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(dir+"/hosts-root", []byte("secret"), 0o600))
	open, err := os.Open(dir)
	must(t, err)
	defer open.Close()
	policy := policyFile(t, filepath.Join(tested.dir, "leaked"), loosePolicy())
	bundle := makeBundle(t, "echo in; read x </proc/self/fd/3/hosts-root; echo $x; echo gone >/proc/self/fd/3/hosts-root; echo new >/proc/self/fd/3/new; grep Uid: /proc/self/status")
	cmd := hatchdogRun(policy, dir, "run", "--preserve-fds", "1", "--bundle", bundle, "leak")
	cmd.ExtraFiles = []*os.File{open}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	wantLines(t, string(out), "in\n", "Permission denied", "Uid:\t0")
	if strings.Contains(string(out), "secret") || read(t, dir+"/hosts-root") != "secret" {
		t.Errorf("it was read or written: %s", out)
	}
	var st syscall.Stat_t
	if syscall.Lstat(dir+"/new", &st) == nil {
		t.Error("a file was made in the host's directory")
	}
	// The same bundle again: the spec was rewritten, and what was asked for is
	// kept beside it.
	again := hatchdogRun(policy, dir, "run", "--bundle", bundle, "leak")
	if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "in\n") {
		t.Errorf("the same bundle again: %v %s", err, out)
	}
}

// The engine and the container have two mounts over one layer. An exec sees
// what was copied in; for what runs, and for copies out, there is a command.
func TestUserNSCopies(t *testing.T) {
	eachDocker(t, userNSCopies)
}

func userNSCopies(t *testing.T, d *docker) {
	file := t.TempDir() + "/f"
	must(t, os.WriteFile(file, []byte("one\n"), 0o644))
	id := d.background(t, "busybox", "sh", "-c", "while sleep 0.1; do cat /f /dev/null 2>&1; done")
	waitFor(t, "its first look", func() bool { return strings.Contains(d.do(t, "logs", id), "can't open '/f'") })
	d.do(t, "cp", file, id+":/f")
	waitFor(t, "what was copied in", func() bool {
		if out, code := d.hatchctl(t, "refresh", id); code != 0 {
			t.Fatal(out)
		}
		return strings.Contains(d.do(t, "logs", id), "one")
	})

	// A file that a process has open keeps its name until it is closed.
	d.do(t, "exec", "-d", id, "sh", "-c", "exec 3</f; echo $$ >/held; exec sleep 1000")
	waitFor(t, "the open file", func() bool { _, code := d.try(t, "exec", id, "grep", ".", "/held"); return code == 0 })
	must(t, os.WriteFile(file, []byte("second"), 0o644))
	d.do(t, "cp", file, id+":/f")
	wantLines(t, d.do(t, "exec", id, "cat", "/f"), "one")
	d.do(t, "exec", id, "sh", "-c", "kill $(cat /held)")
	waitFor(t, "what was copied in, for an exec", func() bool { return strings.Contains(d.do(t, "exec", id, "cat", "/f"), "second") })
	d.do(t, "cp", id+":/f", "-")
	d.do(t, "exec", id, "rm", "/f")
	waitFor(t, "an engine that sees what was removed", func() bool {
		if out, code := d.hatchctl(t, "refresh", id[:12]); code != 0 {
			t.Fatal(out)
		}
		_, code := d.try(t, "cp", id+":/f", "-")
		return code != 0
	})
	if out, code := d.hatchctl(t, "refresh", "nothing"); code != 3 {
		t.Errorf("%d %s", code, out)
	}
}
