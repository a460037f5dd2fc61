package integration

import (
	"strings"
	"testing"
)

// podsNetwork holds a pod on CNI's bridge against the rules of its profile: one
// rule set for all of its containers.
func podsNetwork(t *testing.T, k *kubelet, containers ...string) {
	forwarding(t)
	want := map[string]bool{
		"tcp=" + metadataAddr + ":80":   false,
		"tcp=10.212.0.1:8080":           false,
		"tcp=" + hostAddr + ":8080":     false,
		"tcp=" + outsideAddr + ":80":    true,
		"udp=" + outsideAddr + ":8080":  true,
		"flush":                         false,
		"packet":                        false,
		"tcp=127.0.0.1:1":               false, // nobody listens, and loopback is open: refused at once
		"tcp=" + internetAddr + ":8080": true,
	}
	for _, id := range containers {
		got := k.exec(t, id, append([]string{"reach"}, keys(want)...)...)
		wantReach(t, got, want)
		wantLines(t, got, "connection refused")
	}
	out := mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "net", containers[0])
	if strings.Count(out, "out, by") != 1 {
		t.Errorf("want one rule set for the pod:\n%s", out)
	}
}
