package policy

import (
	"maps"
	"slices"
	"strings"
)

// Weak is a setting by which containers are held to less than hatchdog can hold
// them to.
type Weak struct {
	Where   string `json:"where"`   // "FILE:LINE"
	Setting string `json:"setting"` // as in "restore: admit"
	Means   string `json:"means"`
	Because string `json:"because,omitempty"` // the administrator's reason; "" is none
}

// Weak lists what weakens the policy, apart from what built-in profiles have.
func (p *Policy) Weak() []Weak {
	var all []Weak
	if p.Unrecorded == UnrecordedProfile {
		all = append(all, Weak{p.at("unrecorded"), "unrecorded: profile", "exec and update work in containers that were never held to a policy", p.Because})
	}
	if p.Audit.OnFailure == FailContinue {
		all = append(all, Weak{p.at("audit"), "audit.onFailure: continue", "containers start although nobody can read later what they were given", p.Because})
	}
	for _, a := range p.Runtime.Accept {
		all = append(all, Weak{p.at("runtime"), "runtime.accept: " + a.Version, "a low-level runtime is used with a known way out of the container, or with ways that nobody knows", a.Because})
	}
	for _, r := range p.Rules {
		for _, c := range r.Trust {
			all = append(all, Weak{r.Origin, "trust: " + string(c), "whoever makes a container chooses its " + string(c) + ", and gets what the rule gives", r.Because})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Profiles)) {
		for _, w := range p.Profiles[name].weak() {
			if !slices.ContainsFunc(all, func(have Weak) bool { return have.Where == w.Where && have.Setting == w.Setting }) {
				all = append(all, w) // once, where others extend it
			}
		}
	}
	return all
}

func (p *Policy) at(key string) string { return p.set[key] }

func (p *Profile) weak() []Weak {
	var all []Weak
	for _, w := range []struct {
		key, value, means string
		has               bool
	}{
		{"restore", string(RestoreAdmit), "a checkpoint gives processes back with privileges that the policy does not grant", p.Restore == RestoreAdmit},
		{"others", string(OthersAdmit), "a container may be given another workload's files and namespaces", p.Others == OthersAdmit},
		{"apparmor.require", string(Never), "AppArmor keeps nothing from the container but what the engine set", p.Apparmor.Require == Never},
		{"userns.mode", string(UserNSOff), "root in the container is root of the host", p.UserNS.Mode == UserNSOff},
	} {
		at := p.origin(w.key, w.key)
		if w.has && !strings.HasPrefix(at, builtinPrefix) {
			all = append(all, Weak{strings.TrimSuffix(at, " "+w.key), w.key + ": " + w.value, w.means, p.Because})
		}
	}
	return all
}
