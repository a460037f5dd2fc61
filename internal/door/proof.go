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
	ev := guard.Evidence{Identify: host.Identify, Enforced: f.Apparmor.Enforced}
	if f.Own.Path != "" {
		h := f.Own.Hook()
		ev.Hook = &guard.Hook{Path: h.Path, Args: h.Args, Handle: "/proc/self/exe"}
	}
	for _, p := range a.Pins {
		ev.Swaps = append(ev.Swaps, guard.Swap{
			Destination: p.Destination, Before: p.Before, After: p.After, Handle: fmt.Sprintf("/proc/self/fd/%d", p.Fd),
		})
	}
	return ev
}
