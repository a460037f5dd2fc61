package explain

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// Admitting is the smallest policy that admits what was refused of a workload
// under a profile, as a file of its own; "" where no policy does. rule is the place
// of the rule that gave the profile.
func Admitting(w workload.Workload, profile, rule string, refusals []*control.Refusal) string {
	var grants []control.Grant
	for _, r := range refusals {
		if len(r.Grants) == 0 {
			return ""
		}
		grants = append(grants, r.Grants...)
	}
	return Policy(w, profile, rule, grants)
}

// Policy is a policy with one rule, which gives a workload its profile and what
// grants say. Comments say where the rule belongs.
func Policy(w workload.Workload, profile, rule string, grants []control.Grant) string {
	if len(grants) == 0 {
		return ""
	}
	top, own := split(grants)
	text := "version: 1\n"
	if len(top) > 0 {
		text += control.Fragment(top) + "\n"
	}
	if len(own) > 0 {
		text += "rules:\n" + Rule(w, profile, rule, own)
	}
	return text
}

// Rule is one item of a policy's rules.
func Rule(w workload.Workload, profile, rule string, grants []control.Grant) string {
	var b strings.Builder
	match, note := matchOf(w)
	if rule != "" {
		fmt.Fprintf(&b, "  # before the rule at %s: the first that matches wins\n", rule)
	}
	if note != "" {
		fmt.Fprintf(&b, "  # %s\n", note)
	}
	base := profile
	if i := strings.Index(base, " met with "); i >= 0 {
		base = base[:i]
	}
	if strings.Contains(base, ":") { // the keys of a rule: no profile has that name
		base = "restricted"
		fmt.Fprintf(&b, "  # with the keys that the rule at %s has of its own\n", profile)
	}
	fmt.Fprintf(&b, "  - match: %s\n    profile: %s\n", match, base)
	for _, line := range lines(grants) {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String()
}

func split(grants []control.Grant) (top, own []control.Grant) {
	for _, g := range grants {
		if g.Top {
			top = append(top, g)
		} else {
			own = append(own, g)
		}
	}
	return top, own
}

// lines is a line for each key of a profile that the grants set.
func lines(grants []control.Grant) []string {
	var keys []string
	by := map[string][]control.Grant{}
	for _, g := range grants {
		key, _, _ := strings.Cut(g.Key, ".")
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		by[key] = control.Union(by[key], g)
	}
	all := make([]string, 0, len(keys))
	for _, key := range keys {
		all = append(all, control.Fragment(by[key]))
	}
	return all
}

// generated ends the names of pods that a Deployment or a DaemonSet made.
var generated = regexp.MustCompile(`(-[a-z0-9]{8,10})?-[a-z0-9]{5}$`)

// matchOf tells a workload by what others than its owner decide, as far as that is
// known.
func matchOf(w workload.Workload) (match, note string) {
	pair := func(key, value string) string {
		if value == "" {
			return ""
		}
		return ", " + key + ": " + strconv.Quote(value)
	}
	match = "{engine: " + w.Engine
	switch {
	case w.Pod != "":
		pod := generated.ReplaceAllString(w.Pod, "-*")
		match += pair("namespace", w.Namespace) + pair("pod", pod)
		if w.Sandbox {
			match += ", sandbox: true"
		} else {
			match += pair("container", w.Container)
		}
	case len(w.ImageDigests) > 0:
		match += pair("imageDigest", w.ImageDigests[0])
		if w.Name != "" {
			note = "by its image; to go by its name: {engine: " + w.Engine + pair("name", w.Name) + "}, with trust: [" + string(policy.ClaimName) + "] and because: WHY"
		}
	default:
		match += pair("id", w.ID)
	}
	return match + "}", note
}
