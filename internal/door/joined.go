package door

import (
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/engine"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// errRejoined is a path that leads elsewhere than when the engine's files were
// found for it.
var errRejoined = errors.New("it leads to another namespace than it did")

// joining is what a spec joins, as it was when the container's own files were
// told from others'.
type joining struct {
	ids  []string // of containers
	seen map[string]host.FileID
}

// joined finds the containers whose files the spec mounts and whose namespaces
// it joins: engines give both with --network, --ipc and --uts container:ID, and
// to the containers of a pod.
func joined(root string, a engine.Asker) *joining {
	j := &joining{seen: map[string]host.FileID{}}
	for _, id := range engine.Others(a) {
		if decision.CheckID(id) == nil && j.joins(root, id, a.Spec) {
			j.ids = append(j.ids, id)
		}
	}
	return j
}

// joins reports whether the spec joins a namespace of a container of the same
// low-level runtime's.
func (j *joining) joins(root, id string, s *specs.Spec) bool {
	if s.Linux == nil {
		return false
	}
	first, err := lowlevel.FindInit(root, id)
	if err != nil || !first.Alive() {
		return false
	}
	return slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		file := spaceFile(ns.Type)
		if file == "" || ns.Type == specs.PIDNamespace || ns.Path == "" {
			return false
		}
		dev, ino, err := host.Identify(ns.Path)
		dev2, ino2, err2 := host.Identify(fmt.Sprintf("/proc/%d/ns/%s", first.Pid, file))
		if err != nil || err2 != nil || dev != dev2 || ino != ino2 || hosts(file, dev, ino) {
			return false
		}
		j.seen[ns.Path] = host.FileID{Dev: dev, Ino: ino}
		return true
	})
}

// check compares it with the namespaces that are held.
func (j *joining) check(f host.Facts) error {
	for path, id := range j.seen {
		if f.Joined[path].ID != id {
			return fmt.Errorf("linux.namespaces[].path: %w", errRejoined)
		}
	}
	return nil
}

// hosts reports whether a namespace is our own, which nobody joins to share a
// container's files.
func hosts(file string, dev, ino uint64) bool {
	d, i, err := host.Identify("/proc/self/ns/" + file)
	return err != nil || d == dev && i == ino
}
