package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/effects/prevent"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Guard is what holds containers while they run.
type Guard struct {
	Lacks   error    // why the kernel's guard is not there; nil where it is
	Watched bool     // hatchctl watch runs, and holds containers
	Denied  []string // what profiles of the policy deny while a container runs
}

func probeGuard(pol *policy.Policy) Guard {
	g := Guard{Lacks: prevent.New().Loaded(prevent.All), Watched: prevent.Watched(pol.StateDir)}
	for _, p := range pol.Profiles {
		for _, d := range p.Prevent.Denied() {
			if !slices.Contains(g.Denied, d) {
				g.Denied = append(g.Denied, d)
			}
		}
	}
	slices.Sort(g.Denied)
	return g
}

// guard says what of prevent.deny is held, and by what.
func guard(h Host) Finding {
	f := Finding{Check: "guard", Level: OK, Found: "the kernel's guard is loaded"}
	if h.Guard.Lacks == nil {
		return f
	}
	f.Found = h.Guard.Lacks.Error()
	if h.Guard.Watched {
		f.Found += "; hatchctl watch runs, and holds containers to drift until it ends"
	}
	if len(h.Guard.Denied) == 0 {
		f.Means = "no profile of the policy denies anything while containers run (prevent.deny)"
		return f
	}
	byWatch := slices.Contains(h.Guard.Denied, prevent.DriftName)
	open := slices.DeleteFunc(slices.Clone(h.Guard.Denied), func(d string) bool { return d == prevent.DriftName && h.Guard.Watched })
	f.Remedy = "hatchctl guard load, where the kernel can have it (docs/prevent.md)"
	if len(open) > 0 {
		f.Level = Warn
		f.Means = fmt.Sprintf("profiles deny %s while containers run, and nothing holds them to it; with require: always they do not start", strings.Join(open, ", "))
	}
	if byWatch && !h.Guard.Watched {
		f.Remedy += "; hatchctl watch holds them to drift alone, while it runs"
	}
	return f
}
