package integration

import (
	"strings"
	"testing"
	"time"
)

// setPolicy gives the containers that start from now on another policy, for
// the length of the test.
func (d *docker) setPolicy(t *testing.T, extra string) {
	t.Helper()
	policyFile(t, d.dir, extra)
	t.Cleanup(func() { policyFile(t, d.dir, "unrecorded: refuse\n") })
}

func (d *docker) address(t *testing.T, id string) string {
	t.Helper()
	return strings.TrimSpace(d.do(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id))
}

func (d *docker) reach(t *testing.T, want map[string]bool, args ...string) string {
	t.Helper()
	got, code := d.run(t, append(append(args, "busybox", "reach"), keys(want)...)...)
	if code != 0 {
		t.Fatal(got)
	}
	wantReach(t, got, want)
	return got
}

func TestEgressDocker(t *testing.T) {
	eachDocker(t, egressDocker)
}

func egressDocker(t *testing.T, d *docker) {
	d.outside(t)
	other := d.background(t, "busybox", "reach", "serve=:80")
	otherAddr := d.address(t, other)
	want := map[string]bool{
		"tcp=" + metadataAddr + ":80":            false,
		"udp=" + metadataAddr + ":8080":          false,
		"tcp=172.17.0.1:" + servicePort:          false, // the gateway
		"udp=172.17.0.1:" + servicePort:          false,
		"tcp=" + hostAddr + ":" + servicePort:    false, // another address of the host
		"tcp=" + outsideAddr + ":" + servicePort: true,
		"udp=" + outsideAddr + ":8080":           true,
		"big=" + outsideAddr + ":8080":           true,
		"tcp=" + privateAddr + ":80":             true,
		"tcp=" + internetAddr + ":80":            true,
		"tcp=" + otherAddr + ":80":               true,
		"name=example.test":                      true,
		"raw":                                    false,
		"packet":                                 false,
		"flush":                                  false,
		"namespace":                              false,
	}
	d.reach(t, want, "--dns", outsideAddr)
	plain := d.do(t, append([]string{"run", "--rm", "--dns", outsideAddr, "busybox", "reach"}, keys(want)...)...)
	wantReach(t, plain, map[string]bool{
		"tcp=" + metadataAddr + ":80": true, "tcp=172.17.0.1:" + servicePort: true, "tcp=" + hostAddr + ":" + servicePort: true, "raw": true,
	})
}

func TestEgressDockerPublishedPort(t *testing.T) {
	eachDocker(t, egressDockerPublishedPort)
}

func egressDockerPublishedPort(t *testing.T, d *docker) {
	o := d.outside(t)
	for _, profile := range []string{"restricted", "untrusted"} {
		d.setPolicy(t, "profile: "+profile+"\n")
		id := d.background(t, "-p", "18080:8000", "busybox", "reach", "serve=:8000")
		addr := d.address(t, id)
		for from, to := range map[string]string{o.path: hostAddr + ":18080", d.ns: addr + ":8000"} {
			out := ""
			for range 20 {
				if out = mustRun(t, "nsenter", "--net="+from, tested.dir+"/bin/reach", "tcp="+to); strings.Contains(out, "yes") {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			wantReach(t, out, map[string]bool{"tcp=" + to: true})
		}
		d.do(t, "rm", "-f", id)
	}
}
