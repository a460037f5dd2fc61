package door

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/engine"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// joined are the containers whose files the spec mounts and whose namespaces it
// joins: engines give both with --network, --ipc and --uts container:ID, and to
// the containers of a pod.
func joined(root string, a engine.Asker) []string {
	var all []string
	for _, id := range engine.Others(a) {
		if decision.CheckID(id) == nil && joins(root, id, a.Spec) {
			all = append(all, id)
		}
	}
	return all
}

// joins reports whether the spec joins a namespace of a container of the same
// low-level runtime's.
func joins(root, id string, s *specs.Spec) bool {
	if s.Linux == nil {
		return false
	}
	first, err := lowlevel.FindInit(root, id)
	if err != nil || !first.Alive() {
		return false
	}
	return slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		file, ok := map[specs.LinuxNamespaceType]string{specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts"}[ns.Type]
		if !ok || ns.Path == "" {
			return false
		}
		dev, ino, err := host.Identify(ns.Path)
		dev2, ino2, err2 := host.Identify(fmt.Sprintf("/proc/%d/ns/%s", first.Pid, file))
		return err == nil && err2 == nil && dev == dev2 && ino == ino2 && !hosts(file, dev, ino)
	})
}

// hosts reports whether a namespace is our own, which nobody joins to share a
// container's files.
func hosts(file string, dev, ino uint64) bool {
	d, i, err := host.Identify("/proc/self/ns/" + file)
	return err != nil || d == dev && i == ino
}
