package policy

import (
	"testing"

	"github.com/hatchdog/hatchdog/internal/engine"
)

func TestRelocatedProtectsTheStateInUse(t *testing.T) {
	pol, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	p := pol.Profiles["builtin/restricted"]
	for _, c := range []struct {
		path   string
		before Access
		after  Access
	}{
		{"/srv/docker/overlay2", AccessRW, AccessNone},
		{"/srv/docker/volumes/web/_data", AccessRW, AccessRW},
		{"/srv/docker/volumes/web", AccessRW, AccessNone},
		{"/srv/state/x", AccessRW, AccessNone},
		{"/srv/other", AccessRW, AccessRW},
		{"/etc/docker/volumes/x/_data", AccessNone, AccessNone},
	} {
		r := p.Relocated([]engine.Dir{{Usual: "/var/lib/docker", Actual: "/srv/docker"}, {Usual: "/run/containerd", Actual: "/srv/state"}})
		if c.path[:4] == "/etc" {
			r = p.Relocated([]engine.Dir{{Usual: "/var/lib/docker", Actual: "/etc/docker"}})
		}
		if got, _ := p.Mounts.AccessFor(c.path); got != c.before {
			t.Errorf("%s before: %s", c.path, got)
		}
		if got, _ := r.Mounts.AccessFor(c.path); got != c.after {
			t.Errorf("%s after: %s, want %s", c.path, got, c.after)
		}
	}
}

// k3s has containerd's state in /run/k3s and /var/lib/rancher, which are
// protected: of these a pod gets what is of its own sandbox.
func TestRelocatedIntoWhatIsProtected(t *testing.T) {
	pol, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	p := pol.Profiles["builtin/restricted"].Relocated([]engine.Dir{
		{Usual: "/run/containerd", Actual: "/run/k3s/containerd"},
		{Usual: "/var/lib/containerd", Actual: "/var/lib/rancher/k3s/agent/containerd"},
		{Usual: "/var/lib/kubelet", Actual: "/var/lib/k0s/kubelet"},
	}).For(map[string][]string{"{sandbox}": {"s1"}, "{pod}": {"p1"}})
	const plugin = "/io.containerd.grpc.v1.cri/sandboxes/"
	for path, want := range map[string]Access{
		"/run/k3s/containerd" + plugin + "s1/shm":                        AccessRW,
		"/run/k3s/containerd" + plugin + "s2/shm":                        AccessNone,
		"/run/k3s/containerd/containerd.sock":                            AccessNone,
		"/var/lib/rancher/k3s/agent/containerd" + plugin + "s1/hostname": AccessRW,
		"/var/lib/rancher/k3s/agent/containerd" + plugin + "s2/hostname": AccessNone,
		"/var/lib/k0s/kubelet/pods/p1/volumes/kubernetes.io~secret/x":    AccessRW,
		"/var/lib/k0s/kubelet/pods/p2/volumes/kubernetes.io~secret/x":    AccessNone,
		"/var/lib/k0s/pki":                  AccessNone,
		"/var/lib/rancher/k3s/server/token": AccessNone,
	} {
		if got, _ := p.Mounts.AccessFor(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
