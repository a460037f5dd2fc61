package workload

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/engine"
)

// prefix is that of the annotations by which a workload chooses.
const prefix = "hatchdog.dev/"

// Identify tells the engine by where the bundle is, which only the engine decides,
// and a pod by annotations only where the engine is CRI: anywhere else anybody may
// set them. It reads the container's names from files of the engine that nobody
// else can write; without them the container has no name.
func Identify(s *specs.Spec, id, bundle string) Workload {
	w := Workload{Engine: Other, ID: id}
	for key, value := range s.Annotations {
		if name, ours := strings.CutPrefix(key, prefix); ours {
			if w.Choices == nil {
				w.Choices = map[string]string{}
			}
			w.Choices[name] = value
		}
	}
	asker := engine.Asker{Spec: s, ID: id, Bundle: bundle}
	made := engine.Of(asker)
	if made == nil {
		return w
	}
	p := made.Pod(asker)
	w.Engine, w.Namespace, w.Pod, w.PodUID, w.Container = made.Name(), p.Namespace, p.Name, p.UID, p.Container
	w.Sandbox, w.SandboxID = p.Sandbox, p.SandboxID
	n := made.Names(asker, kept)
	w.Name, w.Image, w.ImageDigests, w.Labels = n.Name, n.Image, n.Digests, n.Labels
	w.Project, w.Service = n.Labels["com.docker.compose.project"], n.Labels["com.docker.compose.service"]
	return w
}

// kept reads a file of an engine's; one that is missing, or that others can
// write to, says nothing.
func kept(path string) []byte {
	data, err := bundle.ReadKept(path)
	if err != nil {
		return nil
	}
	return data
}

// Own are the names under which the engine keeps what belongs to this workload,
// for a policy's paths: of itself, of its pod, of the step of a build, and of the
// containers whose namespaces it joins.
func (w Workload) Own(joined ...string) map[string][]string {
	own := map[string][]string{"{id}": {w.ID}, "{sandbox}": {w.SandboxID}, "{pod}": {w.PodUID}, "{joined}": joined, "{step}": nil}
	if w.Engine == BuildKit {
		own["{step}"] = []string{w.ID}
	}
	return own
}
