package engine

import (
	"path/filepath"
	"strings"
)

// containerd's layout, from 1.6 to 2.4, and that of k3s, rke2, k0s and
// MicroK8s, which have it elsewhere:
//
//	STATE/io.containerd.runtime.v2.task/NAMESPACE/ID   bundles
//	STATE/io.containerd.grpc.v1.cri/sandboxes/ID/shm
//	ROOT/io.containerd.grpc.v1.cri/sandboxes/ID/{hosts,hostname,resolv.conf}
//	ROOT/io.containerd.snapshotter.v1.NAME/
//
// nerdctl (1 and 2) keeps its own, in a folder for each containerd:
//
//	/var/lib/nerdctl/HASH/containers/NAMESPACE/ID/{hostname,resolv.conf}
//	/var/lib/nerdctl/HASH/etchosts/NAMESPACE/ID/hosts
//	/var/lib/nerdctl/HASH/volumes/NAMESPACE/NAME/_data
const (
	taskDir     = "io.containerd.runtime.v2.task"
	sandboxes   = "/io.containerd.grpc.v1.cri/sandboxes/"
	usualState  = "/run/containerd"
	usualRoot   = "/var/lib/containerd"
	criAnnounce = "io.kubernetes.cri.container-type"
)

// taskNamespace is the namespace in containerd of a bundle of its; "" is none.
func taskNamespace(bundle string) string {
	dir := filepath.Dir(bundle)
	if filepath.Base(filepath.Dir(dir)) != taskDir {
		return ""
	}
	return filepath.Base(dir)
}

// ctr is whoever else uses containerd: ctr, nerdctl.
type ctr struct{}

var _ Engine = ctr{}

func (ctr) Name() string      { return CtrName }
func (ctr) Made(a Asker) bool { return taskNamespace(a.Bundle) != "" }
func (ctr) Pod(Asker) Pod     { return Pod{} }

func (ctr) Dirs(a Asker) []Dir {
	var all []Dir
	state, _, found := strings.Cut(a.Bundle, "/"+taskDir+"/")
	if found {
		all = append(all, Dir{usualState, state})
	}
	for _, m := range a.Spec.Mounts {
		if store, found := strings.CutSuffix(m.Source, "/etchosts/"+taskNamespace(a.Bundle)+"/"+a.ID+"/hosts"); found && strings.HasPrefix(store, "/") {
			all = append(all, Dir{"/var/lib/nerdctl", filepath.Dir(store)})
		}
	}
	for _, root := range sourcesBelow(a.Spec, sandboxes) {
		if !found || root != state {
			all = append(all, Dir{usualRoot, root})
		}
	}
	return all
}

// criContainerd is containerd's CRI plugin, behind a kubelet.
type criContainerd struct{}

var _ Engine = criContainerd{}

func (criContainerd) Name() string { return CRIName }

// Made: the plugin's namespace, and an annotation that it sets for all.
func (criContainerd) Made(a Asker) bool {
	return taskNamespace(a.Bundle) == "k8s.io" && a.Spec.Annotations[criAnnounce] != ""
}

func (criContainerd) Pod(a Asker) Pod {
	cri := func(name string) string { return a.Spec.Annotations["io.kubernetes.cri."+name] }
	return Pod{
		Namespace: cri("sandbox-namespace"), Name: cri("sandbox-name"), UID: cri("sandbox-uid"), SandboxID: cri("sandbox-id"),
		Container: cri("container-name"), Image: cri("image-name"), Sandbox: cri("container-type") == "sandbox",
	}
}

func (e criContainerd) Dirs(a Asker) []Dir {
	if !e.Made(a) {
		return nil
	}
	return kubelet(a, e.Pod(a).UID)
}

// kubelet finds the kubelet's directory, which k0s, MicroK8s and others have
// elsewhere, by what it keeps for the pod (1.20 to 1.36):
//
//	ROOT/pods/UID/{etc-hosts,containers/NAME/,volumes/,volume-subpaths/}
func kubelet(a Asker, uid string) []Dir {
	if uid == "" {
		return nil
	}
	var all []Dir
	for _, root := range sourcesBelow(a.Spec, "/pods/"+uid+"/") {
		all = append(all, Dir{"/var/lib/kubelet", root})
	}
	return all
}
