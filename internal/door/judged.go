package door

// judged is a request with what the policy makes of it: nothing is refused.
type judged struct {
	*asked
	*judgement
}

// judge decides, takes ids of the host for the container, and loads its AppArmor
// profile where that is ours. A refusal is an error.
func (a *asked) judge() (*judged, error) {
	r := a.request()
	r.holder = a.holder()
	found, err := judge(r)
	if err != nil {
		return nil, err
	}
	a.known = &found.decision
	j := &judged{a, found}
	if err = j.whole(r); err != nil {
		found.sources.Close()
		return nil, err
	}
	return j, nil
}

// whole completes the judgement with what the host and the records say.
func (j *judged) whole(r *request) error {
	if err := j.w.at("judged"); err != nil {
		return err
	}
	if err := j.confine(r); err != nil {
		return err
	}
	d := &j.decision
	o := others{j.store, j.claim.Dir(), d.Workload, r.dir, j.profile}
	d.Refusals = append(d.Refusals, o.refusals(r.doc.Value, j.facts)...)
	if len(d.Refusals) > 0 {
		return &refused{d.Refusals, d.Workload}
	}
	return nil
}
