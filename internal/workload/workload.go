// Package workload tells who asks for a container, from its spec and bundle
// alone. What an annotation claims can be forged outside CRI: a Workload
// selects a profile, and a profile that it selects by annotation only narrows.
package workload

import (
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// The engines that Identify tells apart.
const (
	Docker = engine.DockerName
	CRI    = engine.CRIName
	Ctr    = engine.CtrName
	Podman = engine.PodmanName
	Other  = engine.OtherName
)

// Workload is who asks.
type Workload struct {
	Engine    string `json:"engine"`
	ID        string `json:"id"`
	Namespace string `json:"namespace,omitempty"` // the pod's
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"` // its name in the pod
	Image     string `json:"image,omitempty"`
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

// Name is what stays the same from one try to start the workload to the next:
// not its id.
func (w Workload) Name() string {
	return strings.Join([]string{w.Engine, w.Namespace, w.Pod, w.Container, w.Image}, "\x00")
}
