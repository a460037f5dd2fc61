package door

import (
	"fmt"

	"github.com/hatchdog/hatchdog/internal/effects"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/host"
)

// evidence is what the guard is told of the host work, and the means to check
// it.
func evidence(a *effects.Acquired, f host.Facts) guard.Evidence {
	ev := guard.Evidence{
		Bundle: f.Bundle, Identify: host.Identify, Layers: host.Layers, Forbids: host.Forbids, Node: host.DeviceNode, FSType: host.FSType, Mapping: hostIDs,
		Enforced: f.Apparmor.Enforced,
	}
	if f.Euid == 0 {
		ev.Foreign = foreignIDs(f)
	}
	if f.Own.Path != "" {
		h := f.Own.Hook()
		ev.Hook = &guard.Hook{Path: h.Path, Args: h.Args, Handle: "/proc/self/exe"}
	}
	for _, p := range a.Pins {
		ev.Swaps = append(ev.Swaps, guard.Swap{Destination: p.Destination, Before: p.Before, After: p.After, Handle: handle(p.Fd)})
	}
	for _, s := range a.Spaces {
		ev.Joins = append(ev.Joins, guard.Join{Type: s.Type, Before: s.Before, After: s.After, Handle: handle(s.Fd)})
	}
	for _, h := range a.Hooks {
		ev.Hooks = append(ev.Hooks, guard.HookSwap{Before: h.Before, After: h.After, Handle: handle(h.Fd)})
	}
	for _, d := range a.Devices {
		ev.Devices = append(ev.Devices, guard.Device{Path: d.Path, Source: d.Source})
	}
	for _, s := range a.Sysfs {
		ev.Sysfs = append(ev.Sysfs, guard.Sysfs{Destination: s.Destination, Source: s.Source})
	}
	if r := a.Root; r != nil {
		ev.Root = &guard.RootSwap{Before: r.Before, After: r.After, Handle: handle(r.Fd)}
		for _, l := range r.Layers {
			ev.Root.Layers = append(ev.Root.Layers, guard.Pair{Path: l.Path, Handle: handle(l.Fd)})
		}
	}
	return ev
}

func handle(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// foreignIDs are the ranges that belong to somebody else than this container, where
// the request maps ids itself.
func foreignIDs(f host.Facts) [][2]uint32 {
	o := f.UserNS.Owners
	ids := [][2]uint32{}
	for _, all := range [][]host.IDRange{o.Users, o.Groups, o.Others} {
		for _, r := range all {
			ids = append(ids, [2]uint32{r.Base, r.Size})
		}
	}
	return ids
}

// hostIDs are the first host id and the size of each line of a mapping.
func hostIDs(path string) ([][2]uint32, error) {
	lines, err := host.Mapping(path)
	if err != nil {
		return nil, err
	}
	var all [][2]uint32
	for _, l := range lines {
		all = append(all, [2]uint32{l.Outside, l.Size})
	}
	return all, nil
}
