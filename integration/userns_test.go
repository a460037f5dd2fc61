package integration

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// hostPid is the pid of a container's first process on the host.
func (d *docker) hostPid(t *testing.T, id string) int {
	t.Helper()
	var pid int
	_, err := fmt.Sscan(d.do(t, "inspect", "-f", "{{.State.Pid}}", id), &pid)
	must(t, err)
	return pid
}

// ownerOf is who a file on the host belongs to.
func ownerOf(t *testing.T, path string) string {
	t.Helper()
	var st syscall.Stat_t
	must(t, syscall.Lstat(path, &st))
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// mappedRange is the first host id of a process's user namespace.
func mappedRange(t *testing.T, pid int) (base int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", pid))
	must(t, err)
	var inside, size int
	_, err = fmt.Sscan(string(data), &inside, &base, &size)
	must(t, err)
	if inside != 0 || base < 65536 || size != 65536 {
		t.Fatalf("mapping %s", data)
	}
	return base
}

// Root in the container is nobody on the host, although nobody asked for a
// user namespace.
func TestUserNSDocker(t *testing.T) {
	eachDocker(t, userNSDocker)
}

func userNSDocker(t *testing.T, d *docker) {
	id := d.background(t, "busybox", "sleep", "600")
	base := mappedRange(t, d.hostPid(t, id))
	status := read(t, fmt.Sprintf("/proc/%d/status", d.hostPid(t, id)))
	wantLines(t, status, fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d", base, base, base, base))
	wantLines(t, d.do(t, "exec", id, "cat", "/proc/self/uid_map"), fmt.Sprintf("%d", base), "65536")
	wantLines(t, d.do(t, "exec", id, "stat", "-c", "%u:%g %n", "/", "/bin/busybox", "/etc/hosts"),
		"0:0 /\n", "0:0 /bin/busybox", "0:0 /etc/hosts")
	other := d.background(t, "busybox", "sleep", "600")
	if mappedRange(t, d.hostPid(t, other)) == base {
		t.Error("two containers have the same ids")
	}
	plain := strings.TrimSpace(d.do(t, "run", "-d", "busybox", "sleep", "600"))
	t.Cleanup(func() { d.try(t, "rm", "-f", plain) })
	if got := ownerOf(t, fmt.Sprintf("/proc/%d", d.hostPid(t, plain))); got != "0:0" {
		t.Errorf("without hatchdog root is %s: the test proves nothing", got)
	}
	out, _ := d.hatchctl(t, "explain", "--json", id)
	wantLines(t, out, "linux.namespaces[user]", fmt.Sprintf("new, host ids %d-%d", base, base+65535))
}

// Files keep their owners, seen from everywhere.
func TestUserNSOwnership(t *testing.T) {
	eachDocker(t, userNSOwnership)
}

func userNSOwnership(t *testing.T, d *docker) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(dir+"/root", []byte("secret\n"), 0o600))
	must(t, os.WriteFile(dir+"/ann", []byte("x"), 0o600))
	must(t, os.Chown(dir+"/ann", 1000, 1000))
	t.Cleanup(func() { d.try(t, "volume", "rm", "-f", "shared"); d.try(t, "rmi", "-f", "kept") })
	id := d.background(t, "-v", dir+":/d", "-v", "shared:/v", "busybox", "sh", "-c",
		"touch /d/new /v/new /made; chown 33:44 /made; adduser -D x 2>/dev/null; mkdir /gone; rm -r /srv 2>/dev/null; sleep 600")
	waitFor(t, "its files", func() bool { _, code := d.try(t, "exec", id, "test", "-d", "/gone"); return code == 0 })
	mappedRange(t, d.hostPid(t, id))

	wantLines(t, d.do(t, "exec", id, "stat", "-c", "%u:%g %n", "/d/root", "/d/ann", "/d/new", "/made"),
		"0:0 /d/root", "1000:1000 /d/ann", "0:0 /d/new", "33:44 /made")
	wantLines(t, d.do(t, "exec", id, "cat", "/d/root"), "secret")
	for path, want := range map[string]string{dir + "/new": "0:0", dir + "/root": "0:0", dir + "/ann": "1000:1000", d.dir + "/data/volumes/shared/_data/new": "0:0"} {
		if got := ownerOf(t, path); got != want {
			t.Errorf("%s belongs to %s on the host, want %s", path, got, want)
		}
	}
	if got := ownerOf(t, d.upper(t, id)+"/made"); got != "33:44" {
		t.Errorf("in the layer: %s", got)
	}
	wantLines(t, d.do(t, "diff", id), "A /made", "A /gone")

	other := d.background(t, "-v", "shared:/v", "busybox", "sleep", "600")
	wantLines(t, d.do(t, "exec", other, "stat", "-c", "%u:%g", "/v/new"), "0:0")

	d.do(t, "commit", id, "kept")
	wantLines(t, d.do(t, "run", "--rm", "kept", "stat", "-c", "%u:%g", "/made"), "33:44")
	d.do(t, "stop", "-t", "0", id)
	listed := mustRun(t, "sh", "-c", d.cli+" -H unix://"+d.dir+"/docker.sock cp "+id+":/made - | tar -tv --numeric-owner")
	wantLines(t, listed, "33/44")
	d.do(t, "cp", dir+"/root", id+":/copied")
	d.do(t, "start", id)
	wantLines(t, d.do(t, "exec", id, "stat", "-c", "%u:%g %n", "/copied", "/made"), "0:0 /copied", "33:44 /made")
	mappedRange(t, d.hostPid(t, id))
}

// What only the host's root may do fails by ownership alone: with every
// capability that there is, no filter and no noNewPrivileges.
func TestUserNSEscapes(t *testing.T) {
	eachDocker(t, userNSEscapes)
}

func userNSEscapes(t *testing.T, d *docker) {
	d.heldTo(t, loosePolicy())
	got, code := d.run(t, "--cap-add=ALL", "--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined", "busybox", "sh", "-c", `
grep CapEff /proc/self/status
mknod /tmp/disk b 254 0 2>&1
echo x 2>&1 >/proc/sys/kernel/core_pattern
mkdir /tmp/c; mount -t cgroup -o memory c /tmp/c && echo mounted; echo x 2>&1 >/tmp/c/release_agent
insmod /bin/busybox 2>&1
mknod /tmp/t c 1 3 2>&1
echo -1000 2>&1 >/proc/self/oom_score_adj
echo 1 2>&1 >/proc/sys/vm/overcommit_memory
hwclock -w 2>&1
date -s 2020-01-01 2>&1; true`)
	if code != 0 {
		t.Fatal(code, got)
	}
	wantLines(t, got, "CapEff:\t"+d.everything(t),
		"mknod: /tmp/disk: Operation not permitted", "mknod: /tmp/t: Operation not permitted",
		"core_pattern: Permission denied", "mounted", "release_agent: Permission denied", "overcommit_memory: Permission denied",
		"write error: Permission denied", "date: can't set date: Operation not permitted")
}
