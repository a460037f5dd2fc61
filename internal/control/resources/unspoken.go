package resources

import specs "github.com/opencontainers/runtime-spec/specs-go"

// unspoken drops the memory limit of 0 that Docker sends with every update.
// It means what is not there means, but runc takes it for the container's and
// then, with control groups of version 2, refuses the update: it cannot hold to
// it the swap that the container has.
func (e *edit) unspoken(r *specs.LinuxResources) {
	if !e.cgroup.V2 || r.Memory == nil || r.Memory.Limit == nil || *r.Memory.Limit != 0 {
		return
	}
	r.Memory.Limit = nil
	e.change("linux.resources.memory.limit", "0", "", "0 leaves the limit as it is, and runc would forget which it is")
}
