package policy

import (
	"strings"

	"github.com/hatchdog/hatchdog/profiles/apparmor"
)

// ApparmorRules says which AppArmor profile confines a container.
type ApparmorRules struct {
	// Profile is one that comes with hatchdog, or the administrator's own.
	// Empty: of two profiles that were met neither can be called the stricter.
	Profile   string  `json:"profile"`
	Require   Require `json:"require"`
	OnMissing Missing `json:"onMissing"`
	// Keep lists profiles that stay where the engine asks for them.
	Keep []string `json:"keep"`
}

// Require says where a profile must be in force.
type Require string

// The requirements, ordered never < ifAvailable < always.
const (
	IfAvailable Require = "ifAvailable" // where the host has AppArmor
	Always      Require = "always"      // a host without is refused
	Never       Require = "never"       // what the engine set is left as it is
)

// Missing says what a profile means that is not in force and cannot be loaded.
type Missing string

// The answers to a missing profile.
const (
	RefuseMissing   Missing = "refuse"   // the container is not started
	ContinueMissing Missing = "continue" // it starts with what the engine set; the record says so
)

// Unconfined is what engines write for no profile.
const Unconfined = "unconfined"

// The strictness of a profile that is known, from wide to narrow.
const (
	rankNone = iota
	rankEngine
	rankBaseline
	rankRestricted
	rankUntrusted
)

// ApparmorRank is how strict a profile is, where that is known. Engines'
// defaults have one text, Docker's, under several names.
func ApparmorRank(name string) (int, bool) {
	switch name {
	case "", Unconfined:
		return rankNone, true
	case "docker-default", "cri-containerd.apparmor.d", "nerdctl-default", "crio-default":
		return rankEngine, true
	case apparmor.Baseline:
		return rankBaseline, true
	case apparmor.Restricted:
		return rankRestricted, true
	case apparmor.Untrusted:
		return rankUntrusted, true
	}
	// Podman's carries its version: containers-default-0.50.1.
	if v, ok := strings.CutPrefix(name, "containers-default-"); ok && ApparmorName(name) && strings.Trim(v, "0123456789.") == "" {
		return rankEngine, true
	}
	return 0, false
}

// ApparmorStricter reports whether a is known to be stricter than b. Anything
// is stricter than nothing.
func ApparmorStricter(a, b string) bool {
	x, knownA := ApparmorRank(a)
	y, knownB := ApparmorRank(b)
	if knownB && y == rankNone {
		return !knownA || x > y
	}
	return knownA && knownB && x > y
}

// ApparmorName reports whether name is a profile's and nothing else: no
// namespace (:ns:), no stack (//&), nothing that the kernel's files or the
// parser read in another way.
func ApparmorName(name string) bool {
	const most = 255
	if name == "" || len(name) > most || name == Unconfined {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._/+@-", r)
	})
}

// meetApparmor is what forbids whatever a or b forbids.
func meetApparmor(a, b ApparmorRules) ApparmorRules {
	switch {
	case b.Require == Never:
		return a
	case a.Require == Never:
		return b
	}
	m := ApparmorRules{Profile: a.Profile, Require: a.Require, OnMissing: a.OnMissing, Keep: common(a.Keep, b.Keep)}
	if b.Require == Always {
		m.Require = Always
	}
	if b.OnMissing == RefuseMissing {
		m.OnMissing = RefuseMissing
	}
	known := a.Profile != "" && b.Profile != ""
	switch {
	case a.Profile == b.Profile || known && ApparmorStricter(a.Profile, b.Profile):
	case known && ApparmorStricter(b.Profile, a.Profile):
		m.Profile = b.Profile
	default:
		m.Profile, m.Require, m.OnMissing = "", Always, RefuseMissing
	}
	return m
}
