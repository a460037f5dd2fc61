package resources

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// class takes away the class of the container's packets: rules of the host's own
// firewall and of its queues tell by it whose they are (net_cls in the kernel's
// documentation of control groups, version 1).
func (e *edit) class(r *specs.LinuxResources) {
	n := r.Network
	if n == nil || n.ClassID == nil {
		return
	}
	before := strconv.FormatUint(uint64(*n.ClassID), 10)
	n.ClassID = nil
	if len(n.Priorities) == 0 {
		r.Network = nil
	}
	e.change("linux.resources.network.classID", before, "none", "rules of the host's firewall tell by it whose packets they are")
}
