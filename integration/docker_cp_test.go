package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docker cp is the daemon's own work, as the host's root, on a file system that the
// container changes meanwhile: no runtime has a say in it. What is copied while a
// process exchanges a folder for a link to the host's is the container's, in both
// directions, in the image and on a volume.
func TestDockerCpWhileNamesChange(t *testing.T) { eachDocker(t, dockerCpWhileNamesChange) }

func dockerCpWhileNamesChange(t *testing.T, d *docker) {
	host := t.TempDir()
	must(t, os.Chmod(host, 0o777)) // for an id of a user namespace
	must(t, os.WriteFile(host+"/file", []byte("HOST\n"), 0o644))
	given := t.TempDir() + "/given"
	must(t, os.WriteFile(given, []byte("GIVEN\n"), 0o644))
	const exchange = `mkdir -p $0/d $0/twin; echo INSIDE >$0/d/file; cp $0/d/file $0/twin/; ln -s $1 $0/l; echo ready
while :; do mv $0/d $0/was; mv $0/l $0/d; mv $0/d $0/l; mv $0/was $0/d; done`
	for _, dir := range []string{"/work", "/vol"} {
		id := d.background(t, "-v", "/vol", "busybox", "sh", "-c", exchange, dir, host)
		waitFor(t, "its files", func() bool { return strings.Contains(d.do(t, "logs", id), "ready") })
		in, out := 0, 0
		for n := range 20 {
			got := filepath.Join(t.TempDir(), "got")
			from := []string{"cp", id + ":" + dir + "/d/file", got}
			if n%2 == 1 {
				from = []string{"cp", "-L", id + ":" + dir + "/d/file", got}
			}
			if _, code := d.try(t, from...); code == 0 {
				out++
			}
			if text, err := os.ReadFile(got); err == nil && strings.Contains(string(text), "HOST") {
				t.Errorf("%s: the host's file was copied: %s", dir, text)
			}
			if _, code := d.try(t, "cp", given, id+":"+dir+"/d/given"); code == 0 {
				in++
			}
			if _, err := os.Lstat(host + "/given"); err == nil {
				t.Fatalf("%s: a file was made in the host's folder", dir)
			}
		}
		// With a user namespace the daemon knows little of what changes in the image.
		if dir == "/vol" && in+out == 0 {
			t.Error("nothing was copied")
		}
		t.Logf("%s: of 20 %d were copied in, %d out", dir, in, out)
	}
}

// What a container has where the daemon's C library looks for more of itself
// (CVE-2019-14271) is not run when it copies.
func TestDockerCpRunsNothingOfTheContainer(t *testing.T) { eachDocker(t, dockerCpRunsNothing) }

func dockerCpRunsNothing(t *testing.T, d *docker) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/nss.c", []byte(`
#include <fcntl.h>
__attribute__((constructor)) static void begin(void) { creat("/ran", 0666); creat("/proc/self/root/tmp/ran", 0666); }
`), 0o600))
	mustRun(t, "gcc", "-shared", "-fPIC", "-o", dir+"/lib.so", dir+"/nss.c")
	id := d.background(t, "busybox", "sh", "-c", "while :; do sleep 1; done")
	for _, lib := range []string{"/lib", "/lib64", "/usr/lib", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"} {
		d.do(t, "exec", id, "mkdir", "-p", lib)
		for _, name := range []string{"files", "compat", "dns", "systemd", "db"} {
			d.do(t, "cp", dir+"/lib.so", id+":"+lib+"/libnss_"+name+".so.2")
		}
	}
	d.do(t, "exec", id, "sh", "-c", "mkdir -p /etc; echo 'passwd: files systemd db' >/etc/nsswitch.conf; echo own >/file")
	d.do(t, "cp", id+":/file", dir+"/out")
	d.do(t, "cp", "-a", dir+"/out", id+":/tmp/in")
	if out, _ := d.try(t, "exec", id, "ls", "/ran", "/tmp/ran"); !strings.Contains(out, "/ran: No such file") || !strings.Contains(out, "/tmp/ran: No such file") {
		t.Errorf("a library of the container ran in the daemon: %s", out)
	}
}
