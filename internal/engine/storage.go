package engine

import (
	"path/filepath"
	"strings"
)

// Podman (3 to 5) and CRI-O (1.2x to 1.3x) share containers/storage:
//
//	GRAPHROOT/DRIVER-containers/ID/userdata/{config.json,shm,...}   Podman's bundles
//	RUNROOT/DRIVER-containers/ID/userdata/{hosts,hostname,resolv.conf,.containerenv,run/,...}
//	RUNROOT/DRIVER-containers/ID/userdata/config.json               CRI-O's bundles
//	GRAPHROOT/DRIVER/LAYER/merged
//
// GRAPHROOT is /var/lib/containers/storage or below the home of a user, RUNROOT
// /run/containers/storage or below /run/user/UID.
const (
	usualGraph = "/var/lib/containers/storage"
	usualRun   = "/run/containers/storage"
	userdata   = "userdata"
)

// storageRoot is the directory that holds a bundle of the layout; "" is none.
func storageRoot(bundle string) string {
	containers := filepath.Dir(filepath.Dir(bundle))
	if filepath.Base(bundle) != userdata || !strings.HasSuffix(filepath.Base(containers), "-containers") {
		return ""
	}
	return filepath.Dir(containers)
}

// podman keeps its bundles in the graph root.
type podman struct{}

var _ Engine = podman{}

func (podman) Name() string      { return PodmanName }
func (podman) Made(a Asker) bool { return storageRoot(a.Bundle) != "" }
func (podman) Pod(Asker) Pod     { return Pod{} } // its users set annotations

func (podman) Dirs(a Asker) []Dir {
	graph := storageRoot(a.Bundle)
	if graph == "" {
		return nil
	}
	all := []Dir{{usualGraph, graph}}
	for _, dir := range sourcesBelow(a.Spec, "/"+a.ID+"/"+userdata+"/") {
		if run := filepath.Dir(dir); run != graph && strings.HasSuffix(dir, "-containers") {
			all = append(all, Dir{usualRun, run})
		}
	}
	return all
}

// crio keeps its bundles in the run root.
type crio struct{}

var _ Engine = crio{}

func (crio) Name() string { return CRIName }

// Made: /run is the host's root's alone, and CRI-O announces each container.
func (crio) Made(a Asker) bool {
	return strings.HasPrefix(storageRoot(a.Bundle), "/run/") && a.Spec.Annotations["io.kubernetes.cri-o.ContainerType"] != "" &&
		!strings.HasPrefix(a.Bundle, "/run/user/")
}

// Pod: CRI-O's annotations (pkg/annotations). It adds those of the pod to them,
// so the uid, which opens the pod's directory, must also be that of the control
// group, which the kubelet names.
func (crio) Pod(a Asker) Pod {
	an := a.Spec.Annotations
	uid := an["io.kubernetes.pod.uid"]
	if l := a.Spec.Linux; l == nil || !podGroup(l.CgroupsPath, uid) {
		uid = ""
	}
	return Pod{
		Namespace: an["io.kubernetes.pod.namespace"], Name: an["io.kubernetes.pod.name"], UID: uid,
		SandboxID: an["io.kubernetes.cri-o.SandboxID"], Container: an["io.kubernetes.container.name"], Image: an["io.kubernetes.cri-o.ImageName"],
		Sandbox: an["io.kubernetes.cri-o.ContainerType"] == "sandbox",
	}
}

// podGroup reports whether a control group is of the pod: PARENT/podUID/... or
// PARENT-podUID.slice:..., where systemd's names have no dash.
func podGroup(cgroupsPath, uid string) bool {
	if uid == "" {
		return false
	}
	slice, _, _ := strings.Cut(cgroupsPath, ":")
	return strings.Contains(cgroupsPath, "/pod"+uid+"/") || strings.HasSuffix(slice, "-pod"+strings.ReplaceAll(uid, "-", "_")+".slice")
}

func (e crio) Dirs(a Asker) []Dir {
	if !e.Made(a) {
		return nil
	}
	return append(kubelet(a, e.Pod(a).UID), Dir{usualRun, storageRoot(a.Bundle)})
}

// storageFileOf is the container that a file of the layout belongs to: those
// that the containers of a pod share.
func storageFileOf(source string) string {
	_, rest, found := strings.Cut(source, "-containers/")
	if !found {
		return ""
	}
	id, rest, _ := strings.Cut(rest, "/")
	if rest != userdata && !strings.HasPrefix(rest, userdata+"/") {
		return ""
	}
	return id
}
