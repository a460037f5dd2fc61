// Package workload tells who asks for a container: from its spec, its bundle, and
// what its engine keeps of it.
//
// Guarantees: the place of the bundle tells the engine. A name, a label or an image
// is the one that the engine keeps of the container, in a file that only root (or
// the user we are) can write; never one that the request claims. Reading it never
// fails: a missing one is no name, and matches nothing.
// Does not cover: the truth of names. The user who makes a container chooses its
// name, its labels and how it names the image, and an image brings labels of its
// own. A rule that rests on them only narrows unless the policy trusts them
// (policy.Resolve). A profile that the workload chooses by an annotation only
// narrows too.
// Requires: Docker's config.v2.json, Podman's containers.json; CRI needs no file.
// Spec fields touched: none.
package workload

import (
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// The engines that Identify tells apart.
const (
	Docker   = engine.DockerName
	CRI      = engine.CRIName
	Ctr      = engine.CtrName
	Podman   = engine.PodmanName
	BuildKit = engine.BuildKitName
	Other    = engine.OtherName
)

// Workload is who asks.
type Workload struct {
	Engine    string `json:"engine"`
	ID        string `json:"id"`
	Namespace string `json:"namespace,omitempty"` // the pod's
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"` // its name in the pod
	// Name is what its engine calls it, outside of pods.
	Name string `json:"name,omitempty"`
	// Image is how its user named the image; ImageDigests are what it is.
	Image        string   `json:"image,omitempty"`
	ImageDigests []string `json:"imageDigests,omitempty"`
	// Project and Service are those of Compose.
	Project string `json:"project,omitempty"`
	Service string `json:"service,omitempty"`
	// Labels are not kept: there may be many, and they are the user's.
	Labels map[string]string `json:"-"`
	// Sandbox is true for a CRI pause container.
	Sandbox   bool   `json:"sandbox,omitempty"`
	SandboxID string `json:"sandboxID,omitempty"`
	PodUID    string `json:"podUID,omitempty"`
	// Choices are the hatchdog.dev/* annotations, without the prefix.
	Choices map[string]string `json:"choices,omitempty"`
}

// Path names a container of a pod as NAMESPACE/POD/CONTAINER, and a sandbox as
// NAMESPACE/POD.
func (w Workload) Path() string {
	path := w.Namespace + "/" + w.Pod
	if w.Container != "" && !w.Sandbox {
		path += "/" + w.Container
	}
	return path
}

// Called is how its users know the workload: by its pod or by its name. Without
// either it is "".
func (w Workload) Called() string {
	if w.Pod != "" {
		return w.Path()
	}
	return w.Name
}

// Key is what stays the same from one try to start the workload to the next:
// not its id.
func (w Workload) Key() string {
	return strings.Join([]string{w.Engine, w.Namespace, w.Pod, w.Container, w.Name, w.Image}, "\x00")
}
