package policy

import (
	"slices"
	"testing"
)

// A workload reaches what the engine keeps for it, and nothing that it keeps
// for others.
func TestForOpensTheWorkloadsOwnAlone(t *testing.T) {
	p := builtins(t).Profiles["builtin/restricted"]
	own := p.For(map[string][]string{"{id}": {"c1"}, "{sandbox}": {"s1"}, "{pod}": {"p1"}, "{joined}": {"c3", "c4"}})
	for path, want := range map[string]Access{
		"/var/lib/kubelet/pods/p1/volumes/kubernetes.io~secret/x":                AccessRW,
		"/var/lib/kubelet/pods/p2/volumes/kubernetes.io~secret/x":                AccessNone,
		"/var/lib/kubelet/pods/p1":                                               AccessNone,
		"/var/lib/kubelet/pods/{pod}/volumes":                                    AccessNone,
		"/var/lib/kubelet/pki":                                                   AccessNone,
		"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/s1/shm":             AccessRW,
		"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/s2/shm":             AccessNone,
		"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/s1/resolv.conf": AccessRW,
		"/run/containerd/io.containerd.grpc.v1.cri/image-volumes/s1/e137":        AccessRO,
		"/run/containerd/io.containerd.grpc.v1.cri/image-volumes/s2/e137":        AccessNone,
		"/var/lib/docker/containers/c1/mounts/secrets":                           AccessRW,
		"/var/lib/docker/containers/c2/mounts/secrets":                           AccessNone,
		"/var/lib/docker/containers/c2/mounts/shm":                               AccessNone,
		"/var/lib/docker/containers/c2/hosts":                                    AccessNone,
		"/var/lib/docker/containers/c1/hosts":                                    AccessRW,
		"/var/lib/docker/containers/c3/hosts":                                    AccessRW,
		"/var/lib/docker/containers/c4/mounts/shm":                               AccessRW,
		"/var/lib/docker/containers/c4/mounts/secrets":                           AccessNone,
		"/run/containers/storage/overlay-containers/c1/userdata/hosts":           AccessRW,
		"/run/containers/storage/overlay-containers/s1/userdata/shm":             AccessRW,
		"/run/containers/storage/overlay-containers/c2/userdata/hosts":           AccessNone,
		"/run/containers/storage/overlay-containers/c3/userdata/hosts":           AccessRW,
		"/run/containers/storage/overlay-containers/c3/userdata/run/secrets":     AccessNone,
		"/var/lib/docker/containers/c2/config.v2.json":                           AccessNone,
	} {
		if got, _ := own.Mounts.AccessFor(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	step := p.For(map[string][]string{"{step}": {"f5lxx1zz5pnorynqglhzmsp33"}})
	for path, want := range map[string]Access{
		"/var/lib/docker/buildkit/executor/hosts":                                   AccessRO,
		"/var/lib/docker/tmp/buildkit-secrets7/x":                                   AccessRW,
		"/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs": AccessRW,
		"/var/lib/containerd/io.containerd.content.v1.content":                      AccessNone,
		"/var/lib/docker/containers/c2/hosts":                                       AccessNone,
		"/var/lib/docker/tmp":                                                       AccessNone,
	} {
		if got, _ := step.Mounts.AccessFor(path); got != want {
			t.Errorf("a step's %s: %s, want %s", path, got, want)
		}
		if got, _ := own.Mounts.AccessFor(path); got != AccessNone {
			t.Errorf("a container's %s: %s", path, got)
		}
	}
	for _, name := range []string{"", "*", "..", ".", "a/b"} {
		got, _ := p.For(map[string][]string{"{pod}": {name}}).Mounts.AccessFor("/var/lib/kubelet/pods/p2/volumes")
		if got != AccessNone {
			t.Errorf("%q opens the pods of others", name)
		}
	}
	if got, _ := p.Mounts.AccessFor("/var/lib/kubelet/pods/p1/volumes"); got != AccessNone {
		t.Error("the profile itself was changed")
	}
}

// A choice keeps no socket open that the chosen profile does not name.
func TestMeetKeepsNoSocketThatOneDoesNotName(t *testing.T) {
	base := builtins(t).Profiles["builtin/restricted"]
	web := *base
	web.Mounts.Allow = append([]PathRule{{Path: "/srv/app.sock", Access: AccessRW}}, base.Mounts.Allow...)
	for _, m := range []*Profile{Meet(&web, base), Meet(base, &web)} {
		if _, rule := m.Mounts.AccessFor("/srv/app.sock"); slices.Contains(m.Mounts.Allow, rule) {
			t.Error("the exception of one profile alone was kept")
		}
		if access, _ := m.Mounts.AccessFor("/etc/localtime"); access != AccessRO {
			t.Error("an exception of both was lost")
		}
	}
}
