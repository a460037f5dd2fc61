package policy

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// UserNSMode says whether a container gets a user namespace of its own.
type UserNSMode string

// The modes, from wide to narrow.
const (
	UserNSOff      UserNSMode = "off"
	UserNSAuto     UserNSMode = "auto"     // where it can be had; else the record says why not
	UserNSRequired UserNSMode = "required" // where it cannot be had, nothing is started
)

// VolumeMode says how the files of a bind mount look inside a user namespace.
type VolumeMode string

// The modes of a volume.
const (
	// VolumeTransparent maps owners: root inside writes files of root on disk.
	VolumeTransparent VolumeMode = "transparent"
	// VolumeShifted maps none: what the container writes belongs on disk to the
	// container's own ids, and files of host users are nobody's inside.
	VolumeShifted VolumeMode = "shifted"
	// VolumeRO maps owners, read-only.
	VolumeRO VolumeMode = "ro"
	// VolumeShiftedRO maps none, read-only.
	VolumeShiftedRO VolumeMode = "shifted-ro"
)

// Mapped reports whether owners are mapped. An unknown mode maps none.
func (m VolumeMode) Mapped() bool { return m == VolumeTransparent || m == VolumeRO || m == "" }

// ReadOnly reports whether nothing may be written.
func (m VolumeMode) ReadOnly() bool { return m == VolumeRO || m == VolumeShiftedRO }

// meetVolume forbids whatever a or b forbids.
func meetVolume(a, b VolumeMode) VolumeMode {
	mapped, ro := a.Mapped() && b.Mapped(), a.ReadOnly() || b.ReadOnly()
	switch {
	case mapped && ro:
		return VolumeRO
	case mapped:
		return VolumeTransparent
	case ro:
		return VolumeShiftedRO
	}
	return VolumeShifted
}

// VolumeRule binds a host path, and all below it, to a mode.
type VolumeRule struct {
	Path string     `json:"path"`
	Mode VolumeMode `json:"mode"`
}

// VolumeRules says how volumes look inside a user namespace.
type VolumeRules struct {
	Default VolumeMode   `json:"default"`
	Rules   []VolumeRule `json:"rules,omitempty"` // the longest path wins
}

// For is the mode of the volume whose source is path.
func (v VolumeRules) For(path string) VolumeMode {
	mode, longest := v.Default, -1
	for _, r := range v.Rules {
		if r.Path != path && !strings.HasPrefix(path, strings.TrimSuffix(r.Path, "/")+"/") {
			continue
		}
		switch {
		case len(r.Path) > longest:
			mode, longest = r.Mode, len(r.Path)
		case len(r.Path) == longest:
			mode = meetVolume(mode, r.Mode)
		}
	}
	if mode == "" {
		return VolumeTransparent
	}
	return mode
}

// UserNSSize bounds how many ids a container has, in multiples of 65,536. 0 is
// what builtin/baseline has.
type UserNSSize struct {
	Min int64 `json:"min"` // from 0 on, whatever it needs
	Max int64 `json:"max"` // with the ids above that it needs
}

// The bounds where none are set.
const (
	leastIDs = 1 << 16
	mostIDs  = 1 << 20
)

// Bounds are the lowest and the highest number of ids.
func (s UserNSSize) Bounds() (low, high uint32) {
	low, high = leastIDs, mostIDs
	if s.Min > 0 {
		low = uint32(min(s.Min, math.MaxUint32-leastIDs))
	}
	if s.Max > 0 {
		high = uint32(min(s.Max, math.MaxUint32-leastIDs))
	}
	return low, max(low, high)
}

func (s UserNSSize) valid() bool {
	low, high := s.Bounds()
	return s.Min >= 0 && s.Max >= 0 && s.Min <= int64(high) && s.Max <= int64(high) && low%leastIDs == 0 && high%leastIDs == 0
}

func meetSize(a, b UserNSSize) UserNSSize {
	low, high := a.Bounds()
	otherLow, otherHigh := b.Bounds()
	return UserNSSize{Min: int64(min(low, otherLow)), Max: int64(min(high, otherHigh))}
}

// UserNSRules is the policy on user namespaces. Without a mode there is none.
type UserNSRules struct {
	Mode    UserNSMode  `json:"mode"`
	Size    UserNSSize  `json:"size"`
	Volumes VolumeRules `json:"volumes"`
}

// Wanted reports whether a container is to get one where that can be.
func (u UserNSRules) Wanted() bool { return u.Mode == UserNSAuto || u.Mode == UserNSRequired }

func meetUserNS(a, b UserNSRules) UserNSRules {
	m := UserNSRules{Mode: a.Mode, Size: meetSize(a.Size, b.Size), Volumes: VolumeRules{Default: meetVolume(a.Volumes.Default, b.Volumes.Default)}}
	modes := []UserNSMode{"", UserNSOff, UserNSAuto, UserNSRequired}
	if slices.Index(modes, b.Mode) > slices.Index(modes, a.Mode) {
		m.Mode = b.Mode
	}
	for _, pair := range [][2]VolumeRules{{a.Volumes, b.Volumes}, {b.Volumes, a.Volumes}} {
		for _, r := range pair[0].Rules {
			r.Mode = meetVolume(r.Mode, pair[1].For(r.Path))
			if !slices.Contains(m.Volumes.Rules, r) {
				m.Volumes.Rules = append(m.Volumes.Rules, r)
			}
		}
	}
	return m
}

// IDs says where the ids of the user namespaces come from.
type IDs struct {
	// Pool is FIRST:COUNT; "" is the line of hatchdog in /etc/subuid and
	// /etc/subgid, and without one 1879048192:267386880.
	Pool string `json:"pool"`
	// Dir is where it is kept who holds what.
	Dir string `json:"dir"`
}

// defaultIDsDir is /var/lib/hatchdog, or the user's own without root.
func defaultIDsDir(euid int, getenv func(string) string) string {
	if euid == 0 {
		return "/var/lib/hatchdog"
	}
	return filepath.Join(DefaultStateDir(euid, getenv), "@ids")
}
