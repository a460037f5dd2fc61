package integration

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// The watch does all of its work with the capabilities that its pod and its unit have.
func TestWatchWithTheCapabilitiesOfItsPod(t *testing.T) {
	text, err := os.ReadFile("../deploy/kubernetes/overlays/watch/watch.yaml")
	must(t, err)
	list := regexp.MustCompile(`add: \[(.*)\]`).FindStringSubmatch(string(text))
	if list == nil || strings.Contains(string(text), "privileged: true") {
		t.Fatal("the manifest lists no capabilities")
	}
	pod := strings.Split(list[1], ", ")
	unit, err := os.ReadFile("../deploy/systemd/hatchdog-watch.service")
	must(t, err)
	for _, c := range pod {
		if has := strings.Contains(string(unit), "CAP_"+c); has == (c == "SYS_CHROOT") { // for nsenter alone
			t.Errorf("%s is in the pod's; in the unit's: %v", c, has)
		}
	}
	d := dockers[0].start(t)
	d.setPolicy(t, "profile: held\nprofiles:\n  held: {extends: builtin/restricted, prevent: {deny: [drift], require: ifAvailable}, detect: {drift: [freeze, isolate, capture, kill]}}\n")
	args := []string{"run", "-d", "--runtime=runc", "--pid=host", "--read-only", "--cap-drop=ALL", "--security-opt", "apparmor=unconfined", "--security-opt", "seccomp=unconfined"}
	for _, c := range pod {
		args = append(args, "--cap-add="+c)
	}
	// The manifest enters the namespaces of the node's first process; here that may be
	// another's, and may do more than the test. Ours are the same.
	id := strings.TrimSpace(d.do(t, append(args, "busybox", "nsenter", "-t", fmt.Sprint(os.Getpid()), "-m", "-u", "-i", "-n", "--",
		"env", "HATCHDOG_POLICY="+d.dir+"/policy.yaml", tested.hatchctl, "watch", "--json")...))
	t.Cleanup(func() { d.try(t, "rm", "-f", id) })
	logs := func() string { out, _ := d.try(t, "logs", id); return out }
	waitFor(t, "the watch", func() bool { return strings.Contains(logs(), "are watched") })
	held := d.background(t, "busybox", "sh", "-c", "cp /bin/busybox /tmp/true; sleep 1; /tmp/true; exec sleep 600")
	waitFor(t, "its answers", func() bool { return strings.Contains(logs(), "SHA-256") && strings.Contains(logs(), `"answer":"kill"`) })
	said := logs()
	wantLines(t, said, held, `"kind":"`+string(watch.Drift)+`"`, "was refused", "all of its processes are frozen", "it is cut off the network", "all of its processes are killed")
	for _, bad := range []string{"failed", "hatchctl: off:", "not held", "not watched"} {
		if strings.Contains(said, bad) {
			t.Errorf("%s: %s", bad, said)
		}
	}
}
