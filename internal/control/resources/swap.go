package resources

import specs "github.com/opencontainers/runtime-spec/specs-go"

const swapFile = "memory.swap.max"

// noSwap says a second time, in the words of cgroup v2, that a container may not
// swap. With the systemd driver runc tells systemd of a limit of swap but not of
// none: it writes the 0 behind systemd's back, whose next daemon-reload takes it
// away. runc tells systemd of the keys in `unified`.
func (e *edit) noSwap(r *specs.LinuxResources) {
	beyond := e.profile.Memory.Swap
	if !e.cgroup.V2 || !e.cgroup.Swap || beyond == nil || *beyond != 0 || r.Memory == nil || unlimited(r.Memory.Limit) {
		return
	}
	if _, there := r.Unified[swapFile]; there {
		return // held with the other files
	}
	if r.Unified == nil {
		r.Unified = map[string]string{}
	}
	r.Unified[swapFile] = "0"
	e.change("linux.resources.unified["+swapFile+"]", "", "0", "systemd takes an end of swap away that it is not told of")
}
