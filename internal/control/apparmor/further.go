package apparmor

import (
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Further is the profile of a further process of a container that runs under
// has, where the engine asks for asked. Engines name their own default for
// each exec: that is taken for the container's profile, and not for a wish to
// leave it.
func Further(p *policy.Profile, has, asked string) (string, *control.Change, *control.Refusal) {
	if asked == "" || asked == has {
		return asked, nil, nil
	}
	h, known := policy.ApparmorRank(has)
	a, askedKnown := policy.ApparmorRank(asked)
	switch {
	case known && askedKnown && a > h:
		return asked, nil, nil
	case known && askedKnown && has != "":
		return has, &control.Change{Field: field, Before: asked, After: has, Reason: "a further process has the profile of its container"}, nil
	}
	return asked, nil, &control.Refusal{
		Control: policy.Apparmor, Field: field, Reason: "it would leave the label of the container", Policy: p.Where("apparmor"),
		Remedy: "leave it out: the process then has the container's",
	}
}
