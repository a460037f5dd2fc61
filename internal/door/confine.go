package door

import (
	"github.com/hatchdog/hatchdog/internal/effects/apparmor"
	"github.com/hatchdog/hatchdog/internal/policy"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

// confine loads the AppArmor profile that the container is to run under, where it
// is ours and not enforced. The policy decides what a failure means: the spec is
// judged again with the failure as a fact.
func (j *judged) confine(r *request) error {
	if len(j.decision.Refusals) > 0 || j.after.Process == nil || !j.facts.Apparmor.Enabled || j.facts.Apparmor.Err != "" {
		return nil
	}
	name := j.after.Process.ApparmorProfile
	if !profiles.Ours(name) || j.facts.Apparmor.Enforced(name) || j.profile.Apparmor.Require == policy.Never {
		return nil
	}
	if err := loadProfile(j.w, j.pol.StateDir, name); err != nil {
		j.facts.Apparmor.Unloadable = map[string]string{name: err.Error()}
		return j.plan(r)
	}
	j.decision.Notes = append(j.decision.Notes, "apparmor: "+name+" was not enforced, and was loaded")
	return nil
}

func loadProfile(w World, stateDir, name string) error {
	parser, err := apparmor.FindParser(w.Getenv)
	if err != nil {
		return err
	}
	return apparmor.New(stateDir, parser).Ensure(name)
}
