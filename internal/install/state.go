package install

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
)

// State is what an engine's configuration says of hatchdog, under whatever
// name.
type State struct {
	Known       bool // one of its runtimes is hatchdog
	Default     bool // and it runs what names none
	Annotations bool // hatchdog.dev/* reaches the runtime
	// NoCRI is true for a containerd that serves others, such as Docker: what it
	// runs is named by them.
	NoCRI bool
	// BuildKit is true where the steps of Docker's builds go through hatchdog.
	BuildKit bool
}

// shimType is the runtime type of hatchdog's own shim.
const shimType = "io.containerd.hatchdog.v1"

func ours(binary string) bool { return path.Base(binary) == name }

// DockerState reads daemon.json; nil raw is no file.
func DockerState(raw []byte) (State, error) {
	if _, err := parseObject(raw); err != nil {
		return State{}, err
	}
	var c struct {
		Runtimes map[string]struct {
			Path        string `json:"path"`
			RuntimeType string `json:"runtimeType"`
		} `json:"runtimes"`
		Default string `json:"default-runtime"`
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &c); err != nil {
			return State{}, fmt.Errorf("%w: %w", ErrParse, err)
		}
	}
	var s State
	for key, r := range c.Runtimes {
		if ours(r.Path) || r.RuntimeType == shimType {
			s.Known, s.Annotations = true, true
			s.Default = s.Default || key == c.Default
		}
	}
	return s, nil
}

// ContainerdState reads config.toml, or better what `containerd config dump`
// makes of it.
func ContainerdState(raw []byte) (State, error) {
	t, err := parseTOML(raw)
	if err != nil {
		return State{}, err
	}
	s := State{NoCRI: criDisabled(t)}
	for _, version := range []int{2, 3} {
		_, at, err := table(version)
		if err != nil {
			return State{}, err
		}
		parent := lookup(t, at...)
		for key := range lookup(parent, "runtimes") {
			r := lookup(parent, "runtimes", key)
			binary, _ := lookup(r, "options")["BinaryName"].(string)
			if !ours(binary) && r["runtime_type"] != shimType {
				continue
			}
			passed, _ := r["pod_annotations"].([]any)
			s.Known = true
			s.Annotations = s.Annotations || slices.Contains(passed, any("hatchdog.dev/*"))
			s.Default = s.Default || parent["default_runtime_name"] == key
		}
	}
	return s, nil
}
