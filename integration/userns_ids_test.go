package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Users above 65535, of the process, of a volume and of the image, are in the
// user namespace as themselves.
func TestUserNSIDsAbove(t *testing.T) {
	eachDocker(t, userNSIDsAbove)
}

func userNSIDsAbove(t *testing.T, d *docker) {
	for _, user := range []string{"70000", "1000650000:0", "0:177777777", "2147483647"} {
		got, code := d.run(t, "-u", user, "busybox", "sh", "-c", "touch /tmp/x && stat -c %u:%g /tmp/x && grep -c . /proc/self/uid_map && grep -v ' 0 .*4294967295' /proc/self/uid_map")
		want := user
		if !strings.Contains(user, ":") {
			want += ":0"
		}
		if code != 0 || !strings.HasPrefix(got, want+"\n2\n") {
			t.Errorf("-u %s: %d, want %s with a user namespace of two runs in\n%s", user, code, want, got)
		}
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Mkdir(dir+"/v", 0o700))
	must(t, os.WriteFile(dir+"/v/f", []byte("PAYROLL\n"), 0o600))
	for _, name := range []string{"/v", "/v/f"} {
		must(t, os.Chown(dir+name, 177777777, 1234567))
	}
	id := d.background(t, "-v", dir+"/v:/v", "busybox", "sleep", "600")
	wantLines(t, d.do(t, "exec", id, "sh", "-c", "cat /v/f; stat -c '%u:%g %n' /v/f; touch /v/new; chown 177777777:1234567 /v/new; touch /v/roots"), "PAYROLL", "177777777:1234567 /v/f")
	wantLines(t, d.do(t, "exec", "-u", "177777777:1234567", id, "sh", "-c", "echo more >>/v/f; touch /v/own; cat /v/f"), "PAYROLL", "more")
	for file, want := range map[string]string{"new": "177777777:1234567", "own": "177777777:1234567", "roots": "0:0", "f": "177777777:1234567"} {
		if got := ownerOf(t, dir+"/v/"+file); got != want {
			t.Errorf("%s belongs on disk to %s, want %s", file, got, want)
		}
	}
	if got, code := d.try(t, "exec", "-u", "70000", id, "true"); code == 0 || !strings.Contains(got, "userns.size.min") {
		t.Errorf("exec as a user that is not there: %d %s", code, got)
	}
	out, _ := d.hatchctl(t, "ids")
	wantLines(t, out, id[:12])
	imageIDs(t, d)
}

// imageIDs makes an image whose files and accounts are above 65535.
func imageIDs(t *testing.T, d *docker) {
	plain := strings.TrimSpace(d.do(t, "run", "-d", "busybox", "sh", "-c",
		"mkdir -p /home/ann; echo hers >/home/ann/f; chown -R 1234567:1234567 /home/ann; chmod 700 /home/ann; echo 'svc:x:70000:70000::/:/bin/sh' >>/etc/passwd; sleep 600"))
	t.Cleanup(func() { d.try(t, "rm", "-f", plain); d.try(t, "rmi", "-f", "above") })
	waitFor(t, "the image", func() bool { _, code := d.try(t, "exec", plain, "grep", "svc", "/etc/passwd"); return code == 0 })
	d.do(t, "commit", plain, "above")
	id := d.background(t, "above", "sleep", "600")
	wantLines(t, d.do(t, "exec", id, "stat", "-c", "%u:%g %n", "/home/ann"), "1234567:1234567 /home/ann")
	wantLines(t, d.do(t, "exec", id, "cat", "/home/ann/f"), "hers")
	wantLines(t, d.do(t, "exec", "-u", "svc", id, "id", "-u"), "70000")
}

// What the policy's maximum does not cover gets rid of no user namespace: it is
// refused, and the remedy is true.
func TestUserNSIDsBeyondThePolicy(t *testing.T) {
	eachDocker(t, userNSIDsBeyondThePolicy)
}

func userNSIDsBeyondThePolicy(t *testing.T, d *docker) {
	size := func(size string) {
		d.heldTo(t, fmt.Sprintf("profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {size: %s}}}\n", size))
	}
	size("{max: 65536}")
	got, code := d.run(t, "-u", "70000", "busybox", "id", "-u")
	if code == 0 || !strings.Contains(got, "set userns.size.max to 131072") {
		t.Errorf("%d %s", code, got)
	}
	size("{max: 131072}")
	if got, code := d.run(t, "-u", "70000", "busybox", "id", "-u"); code != 0 || !strings.HasPrefix(got, "70000\n") {
		t.Errorf("the remedy was followed: %d %s", code, got)
	}
	// One that joins another has that one's ids: what gives them to both is a
	// larger minimum.
	first := d.background(t, "busybox", "sleep", "600")
	join := []string{"--net=container:" + first, "-u", "70000", "busybox", "id", "-u"}
	if got, code := d.run(t, join...); code == 0 || !strings.Contains(got, "process.user") {
		t.Errorf("joined: %d %s", code, got)
	}
	d.try(t, "rm", "-f", first)
	size("{min: 131072, max: 131072}")
	join[0] = "--net=container:" + d.background(t, "busybox", "sleep", "600")
	if got, code := d.run(t, join...); code != 0 || !strings.HasPrefix(got, "70000\n") {
		t.Errorf("joined, with a larger minimum: %d %s", code, got)
	}
}
