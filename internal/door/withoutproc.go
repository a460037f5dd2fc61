package door

import (
	"path"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// withoutProc refuses a container that runc cannot start as every profile wants
// it: runc reads the kernel's last capability in the container's /proc, and
// hides paths through it (libcontainer, init_linux.go and rootfs_linux.go).
func withoutProc(s *specs.Spec, runtime string, p *policy.Profile) []*control.Refusal {
	if runtime != "runc" || slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool { return path.Clean("/"+m.Destination) == "/proc" }) {
		return nil
	}
	r := &control.Refusal{
		Control: policy.Mounts, Field: "mounts", Reason: "nothing is mounted at /proc: without it runc takes no capability away and hides no path",
		Policy: p.Where("capabilities.max"), Remedy: "mount proc at /proc, or use crun (runtime.path)",
	}
	return []*control.Refusal{r}
}
