package engine

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	tasks = "/run/containerd/io.containerd.runtime.v2.task/"
	uid   = "11111111-1111-1111-1111-111111111111"
)

func load(t *testing.T, name string) *specs.Spec {
	t.Helper()
	raw, err := os.ReadFile("../../integration/testdata/specs/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

func mounts(sources ...string) *specs.Spec {
	s := &specs.Spec{Root: &specs.Root{Path: "rootfs"}}
	for _, source := range sources {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: source})
	}
	return s
}

// Each engine's state is found where it is, by what its own container shows.
func TestDirs(t *testing.T) {
	moved := load(t, "docker-default")
	moved.Root.Path = "/srv/docker/overlay2/abc/merged"
	image := mounts("/mnt/d/containers/c1/hosts", "/mnt/d/containers/other/hosts")
	image.Root.Path = "/mnt/d/rootfs/overlayfs/c1"
	bare := mounts()
	bare.Root.Path = "/mnt/d/rootfs/overlayfs/c1"
	remap := mounts("/mnt/d/100000.100000/containers/c1/hosts")
	kube := mounts("/mnt/kubelet/pods/"+uid+"/etc-hosts", "/mnt/kubelet/pods/22222222/volumes/x")
	kube.Annotations = map[string]string{criAnnounce: "container", "io.kubernetes.cri.sandbox-uid": uid}
	forged := mounts("/etc/pods/" + uid + "/etc-hosts")
	forged.Annotations = kube.Annotations
	cri := mounts("/mnt/kubelet/pods/"+uid+"/etc-hosts", "/run/containers/storage/overlay-containers/s1/userdata/resolv.conf")
	cri.Annotations = map[string]string{"io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.pod.uid": uid}
	cri.Linux = &specs.Linux{CgroupsPath: "kubepods-besteffort-pod11111111_1111_1111_1111_111111111111.slice:crio:c1"}
	other := mounts(cri.Mounts[0].Source)
	other.Annotations, other.Linux = cri.Annotations, &specs.Linux{CgroupsPath: "/kubepods/pod22222222/crio-c1"}
	for name, c := range map[string]struct {
		spec   *specs.Spec
		bundle string
		want   []Dir
	}{
		"Docker, overlay2":      {moved, "/srv/exec/containerd/daemon/io.containerd.runtime.v2.task/moby/c1", []Dir{{"/var/lib/docker", "/srv/docker"}, {usualState, "/srv/exec/containerd/daemon"}}},
		"Docker, image store":   {image, tasks + "moby/c1", []Dir{{"/var/lib/docker", "/mnt/d"}, {usualState, usualState}}},
		"Docker, root alone":    {bare, tasks + "moby/c1", []Dir{{"/var/lib/docker", "/mnt/d"}, {usualState, usualState}}},
		"Docker, remapped":      {remap, tasks + "moby/c1", []Dir{{"/var/lib/docker", "/mnt/d"}, {"/var/lib/docker", "/mnt/d/100000.100000"}, {usualState, usualState}}},
		"CRI":                   {load(t, "cri24-app-kubelet"), tasks + "k8s.io/c1", []Dir{{usualState, usualState}, {usualRoot, usualRoot}}},
		"a kubelet's":           {kube, tasks + "k8s.io/c1", []Dir{{"/var/lib/kubelet", "/mnt/kubelet"}, {usualState, usualState}}},
		"no kubelet's":          {forged, tasks + "default/c1", []Dir{{usualState, usualState}}},
		"Podman":                {mounts("/run/containers/storage/overlay-containers/c1/userdata/hosts"), usualGraph + "/overlay-containers/c1/userdata", []Dir{{usualGraph, usualGraph}, {usualRun, usualRun}}},
		"Podman of a user":      {mounts("/run/user/1000/containers/vfs-containers/c1/userdata/hosts"), "/home/u/.local/share/containers/storage/vfs-containers/c1/userdata", []Dir{{usualGraph, "/home/u/.local/share/containers/storage"}, {usualRun, "/run/user/1000/containers"}}},
		"CRI-O":                 {cri, usualRun + "/overlay-containers/c1/userdata", []Dir{{"/var/lib/kubelet", "/mnt/kubelet"}, {usualRun, usualRun}, {usualGraph, usualRun}}},
		"CRI-O, a forged pod's": {other, usualRun + "/overlay-containers/c1/userdata", []Dir{{usualRun, usualRun}, {usualGraph, usualRun}}},
	} {
		if diff := cmp.Diff(c.want, Dirs(Asker{c.spec, "c1", c.bundle})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhoMadeTheBundle(t *testing.T) {
	announced := mounts()
	announced.Annotations = map[string]string{"io.kubernetes.cri-o.ContainerType": "sandbox", criAnnounce: "sandbox"}
	for bundle, want := range map[string]string{
		tasks + "moby/c1": DockerName, tasks + "k8s.io/c1": CRIName, tasks + "x/c1": CtrName, "/srv/b": "",
		usualRun + "/overlay-containers/c1/userdata":                               CRIName,
		usualGraph + "/btrfs-containers/c1/userdata":                               PodmanName,
		"/run/user/7/storage/overlay-containers/c1/userdata":                       PodmanName,
		"/home/u/.local/share/containers/storage/overlay-containers/c1/userdata/x": "",
	} {
		got := ""
		if e := Of(Asker{announced, "c1", bundle}); e != nil {
			got = e.Name()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", bundle, got, want)
		}
	}
}

func TestOthers(t *testing.T) {
	s := mounts("/d/containers/c2/hosts", "/d/containers/c1/hosts", "/d/containers/c3/mounts/shm", "/d/containers/c4/config.v2.json",
		"/g/overlay-containers/c5/userdata/shm", "/g/overlay-containers/c6/other")
	if diff := cmp.Diff([]string{"c2", "c3", "c5"}, Others(Asker{s, "c1", "/b"})); diff != "" {
		t.Error(diff)
	}
}

// A step of a build has an id of BuildKit's, in its executor.
func TestStep(t *testing.T) {
	const id = "f5lxx1zz5pnorynqglhzmsp33"
	container := strings.Repeat("0a", 32)
	for _, c := range []struct {
		id, bundle string
		dirs       []Dir
	}{
		{id, "/mnt/d/buildkit/executor/" + id, []Dir{{"/var/lib/docker", "/mnt/d"}}},
		{id, "/srv/bk/runc-overlayfs/executor/" + id, []Dir{{"/var/lib/buildkit", "/srv/bk"}}},
		{container, "/mnt/d/buildkit/executor/" + container, nil},
		{id, "/mnt/d/buildkit/executor/x", nil},
		{id, "/srv/executor/" + id, nil},
	} {
		a := Asker{mounts(), c.id, c.bundle}
		if diff := cmp.Diff(c.dirs, Dirs(a)); diff != "" {
			t.Errorf("%s: %s", c.bundle, diff)
		}
		if e := Of(a); (e != nil && e.Name() == BuildKitName) != (c.dirs != nil) {
			t.Errorf("%s: made by %v", c.bundle, e)
		}
	}
}
