package guard

import "testing"

// Steps that are looser although each part of them has a name that sounds
// stricter. Each was accepted once.
func TestLooserInDisguise(t *testing.T) {
	for name, c := range map[string]struct {
		check         func(before, after []byte) error
		before, after string
	}{
		"capabilities left out": {
			spec_, `{"process":{"capabilities":{"bounding":["CAP_KILL"]}}}`, `{"process":{}}`,
		},
		"capabilities null": {
			spec_, `{"process":{"capabilities":{"bounding":[]}}}`, `{"process":{"capabilities":null}}`,
		},
		"capabilities null in exec": {
			CheckProcess, `{"capabilities":{"bounding":[]}}`, `{"capabilities":null}`,
		},
		"a rule for the number that stood for all others": {
			spec_,
			`{"linux":{"resources":{"devices":[{"allow":true,"type":"c","major":1048575,"minor":1048575,"access":"rwm"}]}}}`,
			`{"linux":{"resources":{"devices":[{"allow":true,"type":"c","access":"rwm"}]}}}`,
		},
		"a bind mount that covers a part of another": {
			spec_,
			`{"mounts":[{"destination":"/a","type":"bind","source":"/x","options":["bind"]},{"destination":"/a/b","type":"bind","source":"/y","options":["bind","ro"]}]}`,
			`{"mounts":[{"destination":"/a","type":"bind","source":"/x","options":["bind"]}]}`,
		},
		"an idle scheduler left out": {
			spec_, `{"process":{"scheduler":{"policy":"SCHED_IDLE"}}}`, `{"process":{}}`,
		},
		"an idle disk class left out": {
			spec_, `{"process":{"ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":0}}}`, `{"process":{}}`,
		},
		"one process made many": {
			spec_, `{"linux":{"resources":{"pids":{"limit":0}}}}`, `{"linux":{"resources":{"pids":{"limit":1024}}}}`,
		},
		"few processes made none, which old runc takes for no limit": {
			spec_, `{"linux":{"resources":{"pids":{"limit":9}}}}`, `{"linux":{"resources":{"pids":{"limit":0}}}}`,
		},
		"an update of 0 leaves the limit alone": {
			CheckResources, `{"memory":{"limit":0}}`, `{"memory":{"limit":536870912}}`,
		},
		"an update that leaves the quota alone": {
			CheckResources, `{"cpu":{"period":50000}}`, `{"cpu":{"period":50000,"quota":50000}}`,
		},
		"an update that leaves the period alone": {
			CheckResources, `{"cpu":{"quota":5000}}`, `{"cpu":{"quota":5000,"period":100000}}`,
		},
		"swap beyond the limit that an update did not ask for": {
			CheckResources, `{"memory":{"limit":1000}}`, `{"memory":{"limit":1000,"swap":2000}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.check([]byte(c.before), []byte(c.after)); err == nil {
				t.Errorf("%s to %s was accepted", c.before, c.after)
			}
			if err := c.check([]byte(c.before), []byte(c.before)); err != nil {
				t.Errorf("the same: %v", err)
			}
		})
	}
}

func spec_(before, after []byte) error { return Check(before, after, Evidence{}) }

// Real steps of the controls that stay admitted.
func TestStricterStays(t *testing.T) {
	for name, c := range map[string]struct {
		check         func(before, after []byte) error
		before, after string
	}{
		"real time left out":       {spec_, `{"process":{"scheduler":{"policy":"SCHED_FIFO","priority":9}}}`, `{"process":{}}`},
		"a nice value left out":    {CheckProcess, `{"scheduler":{"policy":"SCHED_OTHER","nice":-20}}`, `{}`},
		"a bind mount left out":    {spec_, `{"mounts":[{"destination":"/a","type":"bind","source":"/x","options":["bind"]}]}`, `{"mounts":[]}`},
		"no quota made a quota":    {CheckResources, `{"cpu":{"quota":-1}}`, `{"cpu":{"quota":1000,"period":100000}}`},
		"swap of the limit itself": {CheckResources, `{"memory":{"limit":1000}}`, `{"memory":{"limit":1000,"swap":1000}}`},
		"more limits in exec":      {CheckProcess, `{"rlimits":[{"type":"RLIMIT_NOFILE","hard":9,"soft":9}]}`, `{"rlimits":[{"type":"RLIMIT_NOFILE","hard":9,"soft":9},{"type":"RLIMIT_CORE","hard":0,"soft":0}]}`},
	} {
		if err := c.check([]byte(c.before), []byte(c.after)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
