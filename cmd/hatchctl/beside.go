package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// taskDir holds containerd's bundles: STATE/taskDir/NAMESPACE/ID (containerd,
// core/runtime/v2). There is one for each container, whatever its runtime.
const taskDir = "io.containerd.runtime.v2.task"

// runtimeRoots names the roots of runc and crun below run: their own and
// Podman's, Docker's (one for each runtime name) and containerd's (one for each
// namespace).
func runtimeRoots(run string) []string {
	roots := []string{filepath.Join(run, "runc"), filepath.Join(run, "crun")}
	return append(roots, below(run, "docker/runtime-*/*", "containerd/runc/*")...)
}

// taskDirsBelow names where containerds keep their bundles: the system's, the
// one that dockerd starts for itself, k3s's.
func taskDirsBelow(run string) []string {
	return below(run, "containerd/"+taskDir+"/*", "docker/containerd/daemon/"+taskDir+"/*", "k3s/containerd/"+taskDir+"/*")
}

func below(run string, patterns ...string) []string {
	var all []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(run, pattern))
		if err == nil { // only a malformed pattern is an error
			all = append(all, found...)
		}
	}
	return all
}

// beside lists what runs without hatchdog: what the low-level runtimes keep
// state of, then what only containerd knows.
func beside(roots, taskDirs []string, recorded []decision.Entry) []row {
	known := map[string]bool{} // root and id
	found := map[string]bool{} // namespace and id
	for _, e := range recorded {
		known[e.Root+"\x00"+e.ID], found[filepath.Base(e.Root)+"/"+e.ID] = true, true
	}
	for i, root := range roots {
		if real, err := decision.ResolveRoot(root); err == nil {
			roots[i] = real
		}
	}
	slices.Sort(roots)
	var rows []row
	for _, root := range slices.Compact(roots) {
		for _, id := range containers(root) {
			found[filepath.Base(root)+"/"+id] = true
			if !known[root+"\x00"+id] {
				r := row{ID: id, Root: root, State: "live", Engine: engineOf(root), Runtime: runtimeOf(root, id)}
				for _, dir := range taskDirs {
					if filepath.Base(dir) == filepath.Base(root) {
						r.name(filepath.Join(dir, id))
					}
				}
				rows = append(rows, r)
			}
		}
	}
	for _, dir := range taskDirs {
		bundles, err := os.ReadDir(dir)
		if err != nil {
			continue // this engine is gone
		}
		namespace := filepath.Base(dir)
		for _, b := range bundles {
			if b.IsDir() && !found[namespace+"/"+b.Name()] {
				r := row{ID: b.Name(), Root: dir, State: "live", Engine: engineOf(dir), Runtime: shimOf(filepath.Join(dir, b.Name()))}
				r.name(filepath.Join(dir, b.Name()))
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// name adds what the engine calls the container of a bundle; without a bundle it
// has no name.
func (r *row) name(bundle string) {
	var s specs.Spec
	data, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	if err != nil || json.Unmarshal(data, &s) != nil {
		return
	}
	if w := workload.Identify(&s, r.ID, bundle); w.Called() != "" {
		r.Name, r.Image = w.Called(), w.Image
	}
}

// containers are the ids that a root holds state of: runc writes state.json,
// crun writes status.
func containers(root string) []string {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil // this engine is not here
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && runtimeOf(root, e.Name()) != "" {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

func runtimeOf(root, id string) string {
	for file, name := range map[string]string{"state.json": "runc", "status": "crun"} {
		if _, err := os.Lstat(filepath.Join(root, id, file)); err == nil {
			return name
		}
	}
	return ""
}

// engineOf tells the engine by the namespace that it has in containerd, which
// is the last part of the directory.
func engineOf(dir string) string {
	switch {
	case filepath.Base(dir) == "moby":
		return workload.Docker
	case filepath.Base(dir) == "k8s.io":
		return workload.CRI
	case strings.Contains(dir, "/containerd/"):
		return workload.Ctr
	}
	return ""
}

// shimOf names the runtime of containerd's bundle by the files that its shim
// and containerd leave there.
func shimOf(bundle string) string {
	var options struct {
		BinaryName string
	}
	if data, err := os.ReadFile(filepath.Join(bundle, "options.json")); err == nil &&
		json.Unmarshal(data, &options) == nil && options.BinaryName != "" {
		return filepath.Base(options.BinaryName)
	}
	for _, file := range []string{"runtime", "shim-binary-path"} {
		if data, err := os.ReadFile(filepath.Join(bundle, file)); err == nil && len(data) > 0 {
			return strings.TrimPrefix(filepath.Base(strings.TrimSpace(string(data))), "containerd-shim-")
		}
	}
	return ""
}
