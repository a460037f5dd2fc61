package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// The budget of false alarms is none: servers that start as root, give their data
// away, step down and are restarted raise no alert; what the image does not hold
// does, in the same container.
func TestWatchIsQuietOnServers(t *testing.T) { eachDocker(t, watchIsQuietOnServers) }

func watchIsQuietOnServers(t *testing.T, d *docker) {
	w := startWatch(t, d.dir+"/policy.yaml")
	serversUnderRestricted(t, d)
	time.Sleep(6 * time.Second) // a look at the processes more
	w.none(t, "servers")
	id := d.background(t, "busybox", "sh", "-c", "cp /bin/busybox /true; sleep 1; /true; exec sleep 600")
	a := w.want(t, watch.Drift, "it is in the layer that the container writes to")
	if a.ID != id || a.Container["image"] != "busybox" || a.Container["name"] == "" || a.Container["engine"] != "docker" {
		t.Errorf("%+v", a)
	}
	d.do(t, "exec", id, "sh", "-c", "echo '#!/bin/sh' >/script; chmod +x /script; /script; true")
	if a := w.want(t, watch.Drift, "/script"); !strings.Contains(a.What, "script") {
		t.Errorf("%+v", a)
	}
}
