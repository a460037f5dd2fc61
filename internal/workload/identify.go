package workload

import (
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// prefix is that of the annotations by which a workload chooses.
const prefix = "hatchdog.dev/"

// taskDir is the directory of containerd's bundles: STATE/taskDir/NAMESPACE/ID
// (containerd, core/runtime/v2).
const taskDir = "io.containerd.runtime.v2.task"

// Identify tells the engine by where the bundle is, which only the engine
// decides, and a pod by annotations only where the engine is CRI: anywhere
// else anybody may set them.
func Identify(s *specs.Spec, id, bundle string) Workload {
	w := Workload{Engine: engine(bundle, s), ID: id}
	for key, value := range s.Annotations {
		if name, ours := strings.CutPrefix(key, prefix); ours {
			if w.Choices == nil {
				w.Choices = map[string]string{}
			}
			w.Choices[name] = value
		}
	}
	if w.Engine != CRI {
		return w
	}
	cri := func(name string) string { return s.Annotations["io.kubernetes.cri."+name] }
	w.Namespace, w.Pod, w.SandboxID = cri("sandbox-namespace"), cri("sandbox-name"), cri("sandbox-id")
	w.PodUID = cri("sandbox-uid")
	w.Container, w.Image = cri("container-name"), cri("image-name")
	w.Sandbox = cri("container-type") == "sandbox"
	return w
}

func engine(bundle string, s *specs.Spec) string {
	namespaceDir := filepath.Dir(bundle)
	if filepath.Base(filepath.Dir(namespaceDir)) == taskDir {
		switch filepath.Base(namespaceDir) {
		case "moby": // dockerd's namespace in containerd
			return Docker
		case "k8s.io": // the CRI plugin's
			if s.Annotations["io.kubernetes.cri.container-type"] != "" {
				return CRI
			}
		}
		return Ctr
	}
	// Podman and CRI-O share a layout, and Podman's users set annotations.
	if filepath.Base(bundle) == "userdata" && filepath.Base(filepath.Dir(filepath.Dir(bundle))) == "overlay-containers" {
		return Podman
	}
	return Other
}

// Own are the names under which the engine keeps what belongs to this workload
// alone, for a policy's paths.
func (w Workload) Own() map[string]string {
	return map[string]string{"{id}": w.ID, "{sandbox}": w.SandboxID, "{pod}": w.PodUID}
}

// EngineDirs finds where the engine keeps its state, as far as the spec and the
// bundle tell: the usual directory on the left, the one in use on the right.
func EngineDirs(s *specs.Spec, bundle string) map[string]string {
	dirs := map[string]string{}
	if s.Root != nil && filepath.IsAbs(s.Root.Path) {
		for _, marker := range []string{"/overlay2/", "/fuse-overlayfs/", "/btrfs/subvolumes/", "/vfs/dir/", "/zfs/graph/"} {
			if data, _, found := strings.Cut(s.Root.Path, marker); found {
				dirs["/var/lib/docker"] = filepath.Clean(data)
				break
			}
		}
	}
	if state, _, found := strings.Cut(bundle, "/"+taskDir+"/"); found {
		dirs["/run/containerd"] = filepath.Clean(state)
	}
	for _, m := range s.Mounts {
		if root, _, found := strings.Cut(m.Source, "/io.containerd.grpc.v1.cri/sandboxes/"); found && root != dirs["/run/containerd"] {
			dirs["/var/lib/containerd"] = filepath.Clean(root)
		}
	}
	return dirs
}
