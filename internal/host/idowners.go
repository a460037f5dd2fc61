package host

import "math"

// leastHostID is where ids begin that no account of the host has by itself.
const leastHostID = 1 << 16

// IDOwners says whose ids of this host are from 65536 on. The zero value knows
// nobody: no range belongs to an engine.
type IDOwners struct {
	// Users and Groups belong to accounts of the host, one by one.
	Users  []IDRange `json:"users,omitempty"`
	Groups []IDRange `json:"groups,omitempty"`
	// EngineUIDs and EngineGIDs are set aside for the containers of an engine
	// that runs as root (subuid(5), subgid(5)).
	EngineUIDs []IDRange `json:"engineUIDs,omitempty"`
	EngineGIDs []IDRange `json:"engineGIDs,omitempty"`
	// KubeletAny tells that no line is the kubelet's: it then gives a pod 65,536 ids
	// from all that there are (pkg/kubelet, getKubeletMappings).
	KubeletAny bool `json:"kubeletAny,omitempty"`
	// Others are set aside for anybody else, and for containers of hatchdog.
	Others []IDRange `json:"others,omitempty"`
}

// Overlaps reports whether two ranges have an id in common.
func (r IDRange) Overlaps(o IDRange) bool {
	return r.Size > 0 && o.Size > 0 && uint64(r.Base) < uint64(o.Base)+uint64(o.Size) && uint64(o.Base) < uint64(r.Base)+uint64(r.Size)
}

// Holds reports whether all of o lies in r.
func (r IDRange) Holds(o IDRange) bool {
	return o.Base >= r.Base && uint64(o.Base)+uint64(o.Size) <= uint64(r.Base)+uint64(r.Size)
}

// Beyond reports whether the range has ids from first on.
func (r IDRange) Beyond(first uint64) bool {
	return uint64(r.Base)+uint64(r.Size) > first
}

// Valid reports whether the range holds ids, and none beyond the last that
// there is: 4294967295 stands for none.
func (r IDRange) Valid() bool {
	return r.Size > 0 && uint64(r.Base)+uint64(r.Size) <= math.MaxUint32
}
