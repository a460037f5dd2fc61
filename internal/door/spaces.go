package door

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// spaceFile is the file of a namespace type in /proc/PID/ns, of the types that
// one container may join of another.
func spaceFile(t specs.LinuxNamespaceType) string {
	switch t {
	case specs.NetworkNamespace:
		return "net"
	case specs.IPCNamespace, specs.UTSNamespace, specs.PIDNamespace:
		return string(t)
	}
	return ""
}

// ownSpaces notes which namespaces a container has for its own, so that the owner
// of a namespace is known also where it is mounted somewhere. A namespace that the
// container joins stays the other's.
func ownSpaces(store decision.Store, dir string, pid int) error {
	for _, file := range []string{"ipc", "uts", "pid"} {
		dev, ino, err := host.Identify(fmt.Sprintf("/proc/%d/ns/%s", pid, file))
		if err != nil {
			return fmt.Errorf("its %s namespace: %w", file, err)
		}
		if hosts(file, dev, ino) {
			continue
		}
		if err := store.Owned(dir, decision.Space(file, host.FileID{Dev: dev, Ino: ino})); err != nil {
			return err
		}
	}
	return nil
}

// ownAtStart does so before the first process of the container runs.
func (w World) ownAtStart(store decision.Store, root string, call *argv.Call) error {
	first, err := lowlevel.FindInit(root, call.ID)
	if err != nil || !first.Alive() {
		return nil //nolint:nilerr // the low-level runtime says what is wrong with it
	}
	if err = ownSpaces(store, store.Dir(root, call.ID), first.Pid); err == nil || !first.Alive() {
		return nil
	}
	if rec, rerr := store.LoadHeld(root, call.ID); rerr == nil && rec.Decision.Mode == policy.Complain {
		return nil
	}
	return err
}
