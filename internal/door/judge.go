package door

import (
	"fmt"
	"slices"
	"strings"
	"time"

	json "github.com/go-json-experiment/json/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/idrange"
	"github.com/hatchdog/hatchdog/internal/engine"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// request is a spec to judge.
type request struct {
	door, id, root, dir string
	record              string // the directory of the container's record
	doc                 *bundle.Document[specs.Spec]
	pol                 *policy.Policy
	runtime             host.Runtime
	call                *argv.Call      // nil for a dry run
	own                 *host.Own       // of a dry run
	holder              *idrange.Holder // who ids are set aside for; nil in a dry run
	now                 time.Time
	step                func(string) error // see World.Step
}

// judgement is what the policy makes of a spec.
type judgement struct {
	decision decision.Decision
	profile  *policy.Profile
	facts    host.Facts
	sources  *host.Sources
	after    *specs.Spec
	notes    []string // on how the profile was found
	network  plan.Network
	ids      host.IDRange // empty where it gets no user namespace from us
}

// judge resolves the profile, asks the host and applies the plan to a copy of the
// spec. The decision has the policy's refusals; an error means that the spec could
// not be judged.
func judge(r *request) (*judgement, error) {
	who := workload.Identify(r.doc.Value, r.id, r.dir)
	j, err := judgeFor(r, who)
	if err != nil {
		return nil, &about{who, err}
	}
	return j, nil
}

func judgeFor(r *request, who workload.Workload) (*judgement, error) {
	j := &judgement{decision: decision.Decision{
		Time: r.now, Door: r.door, ID: r.id, Root: r.root, Bundle: r.dir, Mode: r.pol.Mode, Policy: r.pol.Digest,
		Workload: who, Runtime: decision.Runtime{Path: r.runtime.Path, Name: r.runtime.Name, Version: r.runtime.Version},
	}}
	res, err := r.pol.Resolve(who)
	if err != nil {
		return nil, err
	}
	id := ""
	if r.call != nil {
		id = r.id
	}
	asker := engine.Asker{Spec: r.doc.Value, ID: r.id, Bundle: r.dir}
	with := joined(r.root, asker)
	j.profile = res.Profile.Relocated(engine.Dirs(asker)).For(who.Own(with.ids...))
	j.decision.Profile, j.decision.Rule, j.notes = res.Profile.Name, res.Rule, res.Notes
	j.facts, j.sources, err = host.Probe(host.Request{Spec: r.doc.Value, Profile: j.profile, ID: id, Bundle: r.dir, Runtime: r.runtime, Record: r.record, Own: r.own, StateDir: r.pol.StateDir})
	if err != nil {
		return nil, err
	}
	j.facts.Guard = guardFor(j.profile)
	j.facts.WatchHolds = watchHolds(j.profile, j.facts.Guard, r.pol.StateDir)
	if err = with.check(j.facts); err == nil {
		err = j.owners(r)
	}
	if err == nil {
		err = j.plan(r)
	}
	if err != nil {
		j.sources.Close()
		return nil, err
	}
	return j, nil
}

// plan applies the controls to a copy of the spec. The ids of a user namespace
// are set aside when all else is decided.
func (j *judgement) plan(r *request) error {
	var err error
	if j.after, err = copySpec(r.doc.Raw); err != nil {
		return err
	}
	options := plan.Options{
		Restore: r.call != nil && r.call.Door == argv.Restore,
		Starts:  r.call != nil && r.call.Door != argv.Create,
	}
	result, err := plan.Rest(j.profile, j.facts, options).Apply(j.after)
	if err != nil {
		return err
	}
	j.network = plan.NetworkOf(j.profile, j.facts, j.after, options)
	j.decision.Changes = result.Changes
	j.decision.Refusals = slices.Concat(unknownFields(j.profile, r.doc.Unknown), flagRefusals(j.profile, r.call), withoutProc(j.after, r.runtime.Name, j.profile), result.Refusals)
	j.decision.Notes = append(slices.Clone(j.notes), result.Notes...)
	for _, key := range plan.Unheld(j.profile, j.facts) {
		j.decision.Notes = append(j.decision.Notes, "the ceiling "+key+" is not held: no control group with that controller was delegated to this user")
	}
	if err := j.setAside(r, options); err != nil {
		return err
	}
	if err := r.step("setaside"); err != nil {
		return err
	}
	result, err = plan.UserNS(j.profile, j.facts, options).Apply(j.after)
	if err != nil {
		return err
	}
	j.decision.Changes = append(j.decision.Changes, result.Changes...)
	j.decision.Refusals = append(j.decision.Refusals, result.Refusals...)
	j.decision.Notes = append(j.decision.Notes, result.Notes...)
	return nil
}

// copySpec decodes the document anew: a copy that shares nothing.
func copySpec(raw []byte) (*specs.Spec, error) {
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return &s, nil
}

// unknownFields refuses what nobody has classified, where the profile says so.
func unknownFields(p *policy.Profile, unknown []string) []*control.Refusal {
	if p.UnknownFields != policy.RefuseUnknown || len(unknown) == 0 {
		return nil
	}
	r := &control.Refusal{
		Control: "unknownFields",
		Field:   strings.Join(unknown, ", "),
		Reason:  "a field that this version of hatchdog does not know may carry privilege",
		Policy:  p.Where("unknownFields"),
		Remedy:  "remove it, update hatchdog",
	}
	return []*control.Refusal{r.Granting(control.Set("unknownFields", string(policy.KeepUnknown)))}
}
