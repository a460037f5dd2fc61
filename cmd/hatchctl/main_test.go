package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/idrange"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hatchctl": main})
}

// Each script runs in a directory with a policy, a low-level runtime that
// answers for itself, and the records of two containers.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, Setup: setUp})
}

// pool of ids that no user of a host has.
const pool = "2013265920:655360"

const fakeRunc = `#!/bin/sh
case $1 in
--version) echo "runc version 1.5.2" ;;
features) echo '{"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0","mountOptions":["rro","rnosuid","rnodev"],"linux":{"namespaces":["user","cgroup","time"]}}' ;;
esac
`

func setUp(env *testscript.Env) error {
	dir := env.WorkDir
	if err := os.WriteFile(filepath.Join(dir, "runc"), []byte(fakeRunc), 0o755); err != nil {
		return err
	}
	text := "version: 1\nstateDir: " + dir + "/state\naudit: {path: " + dir + "/log/audit.jsonl}\nruntime: {path: " + dir + "/runc}\nids: {dir: " + dir + "/ids, pool: '" + pool + "'}\n"
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	env.Setenv("HATCHDOG_POLICY", filepath.Join(dir, "policy.yaml"))
	root := filepath.Join(dir, "run/docker/runtime-hatchdog/moby")
	cfg := policy.Audit{Path: filepath.Join(dir, "log/audit.jsonl"), MaxSize: 1 << 20, Keep: 1}
	for _, d := range decided(root) {
		if err := audit.Append(cfg, d, d.Time); err != nil {
			return err
		}
		if d.Outcome == decision.Refused || d.Door == "exec" {
			continue
		}
		claim, err := decision.Store{Base: filepath.Join(dir, "state")}.Claim(root, d.ID)
		if err != nil {
			return err
		}
		if err := claim.Commit(&decision.Record{Decision: d}, []byte(`{"ociVersion":"1.2.0"}`)); err != nil {
			return err
		}
	}
	ids := idrange.Store{Dir: filepath.Join(dir, "ids"), Pool: pool, Lives: func(idrange.Holder) bool { return true }}
	if _, err := ids.Take(idrange.Holder{Root: root, ID: "tight0123456789"}, host.IDRange{Size: idrange.Size}); err != nil {
		return err
	}
	// What the low-level runtime keeps of the first.
	return os.MkdirAll(filepath.Join(root, "tight0123456789"), 0o700)
}

// decided are the decisions that the scripts find.
func decided(root string) []decision.Decision {
	base := decision.Decision{
		Door: "create", Root: root, Mode: policy.Enforce, Profile: "builtin/restricted",
		Workload: workload.Workload{Engine: workload.Docker},
		Runtime:  decision.Runtime{Path: "/usr/bin/runc", Name: "runc", Version: "1.5.2"},
	}
	tight, watched, refused := base, base, base
	tight.ID, tight.Outcome = "tight0123456789", decision.Tightened
	tight.Workload.Name, tight.Workload.Image = "front", "busybox:1.36"
	for _, set := range []string{"bounding", "effective"} {
		tight.Changes = append(tight.Changes, control.Attributed{Control: "capabilities", Change: control.Change{
			Field: "process.capabilities." + set, Before: "CAP_A CAP_B CAP_C CAP_NET_RAW", After: "CAP_A CAP_B", Reason: "the profile does not grant it",
		}})
	}
	for _, path := range []string{"/proc/kallsyms", "/proc/modules"} {
		tight.Changes = append(tight.Changes, control.Attributed{Control: "mounts", Change: control.Change{Field: "linux.maskedPaths", After: path, Reason: "of the host"}})
	}
	tight.Changes = append(tight.Changes, control.Attributed{Control: "userns", Change: control.Change{Field: "linux.namespaces[user]", After: "new", Reason: "nobody"}})
	further := tight
	further.Door, further.Changes = "exec", tight.Changes[:1]
	watched.ID, watched.Outcome, watched.Mode = "web", decision.Complained, policy.Complain
	refused.ID, refused.Outcome, refused.Rule = "refused", decision.Refused, "p.yaml:7"
	refused.Refusals = []*control.Refusal{{
		Control: "namespaces", Field: "linux.namespaces[pid]", Reason: "it is\x1b[2J the host's", Policy: "p.yaml:3 namespaces.host", Remedy: "leave it out",
		Grants: []control.Grant{control.Add("namespaces.host", "pid")},
	}}
	refused.Workload.ImageDigests, refused.Workload.Name = []string{"sha256:aa"}, "greedy"
	return []decision.Decision{tight, further, watched, refused}
}
