package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

func TestOrder(t *testing.T) {
	p := New(&policy.Profile{}, host.Facts{}, Options{})
	var names []string
	for _, c := range p.controls {
		names = append(names, c.Name())
	}
	if got := strings.Join(names, " "); got != "namespaces capabilities seccomp privilege apparmor mounts devices resources sysctls hooks annotations prevent egress userns" {
		t.Error(got)
	}
}

// Every captured spec, under every built-in profile: applied twice, the second
// time changes nothing.
func TestRealSpecsAreSettledAfterOne(t *testing.T) {
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../integration/testdata/specs/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captured specs: %v", err)
	}
	for _, file := range files {
		if strings.Contains(file, "exec") {
			continue // a process, not a spec
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, profile := range pol.Profiles {
			var s specs.Spec
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatal(err)
			}
			plan := New(profile, host.Facts{Own: host.Own{Path: "/usr/local/bin/hatchdog"}}, Options{})
			first, err := plan.Apply(&s)
			if err != nil || len(first.Changes) == 0 {
				t.Errorf("%s under %s: %v %v", file, name, first.Changes, err)
			}
			if again, err := plan.Apply(&s); err != nil || len(again.Changes) != 0 {
				t.Errorf("%s under %s, again: %v %v", file, name, again.Changes, err)
			}
		}
	}
}

func TestHostNamespacesOfRealSpecsAreRefused(t *testing.T) {
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"docker-host-pid": "pid", "docker-host-net": "network", "docker-default": ""} {
		raw, err := os.ReadFile("../../integration/testdata/specs/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var s specs.Spec
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		facts := host.Facts{
			ID:      idOf(&s),
			Cgroup:  host.Cgroup{Controllers: []string{"pids", "memory", "cpu"}},
			Hooks:   map[string]host.HookFile{"/proc/4242/exe": {Dockerd: true}},
			Sources: map[string]host.Source{},
			Own:     host.Own{Path: "/usr/local/bin/hatchdog", Record: "/run/hatchdog/r/c"},
		}
		for _, m := range s.Mounts {
			facts.Sources[m.Source] = host.Source{Resolved: m.Source, Steady: true}
		}
		res, err := New(pol.Profiles["builtin/restricted"].For(workload.Identify(&s, idOf(&s), bundleOf(&s)).Own()), facts, Options{}).Apply(&s)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && len(res.Refusals) > 0 {
			t.Errorf("%s: %v", file, res.Refusals[0])
		}
		if want != "" && (len(res.Refusals) != 1 || !strings.HasPrefix(res.Refusals[0].Field, "linux.namespaces["+want+"]")) {
			t.Errorf("%s: %v", file, res.Refusals)
		}
	}
}
