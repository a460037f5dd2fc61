package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/door"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// Whatever real engines asked for: what is suggested is a policy, and under it
// nothing is denied that it does not name.
func TestSuggestForRealRequests(t *testing.T) {
	specs, err := filepath.Glob("../../integration/testdata/specs/*.json")
	if err != nil {
		t.Fatal(err)
	}
	granted := 0
	for _, file := range specs {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.Contains(name, "-exec-") || strings.Contains(name, "current") || strings.HasPrefix(name, "c") && !strings.HasSuffix(name, "-privileged") {
			continue // a process, and what another line asks for just as well
		}
		t.Run(name, func(t *testing.T) {
			w := workload.Workload{ID: "c1", Engine: workload.Docker, ImageDigests: []string{"sha256:aa"}}
			o := named(t, []workload.Workload{w}, nil)
			dir := filepath.Dir(o.policyFile)
			text, err := os.ReadFile(o.policyFile)
			if err != nil {
				t.Fatal(err)
			}
			for path, data := range map[string]string{"runc": fakeRunc, "policy.yaml": string(text) + "runtime: {path: " + dir + "/runc}\noffers: [untrusted]\n"} {
				mode := os.FileMode(0o600)
				if path == "runc" {
					mode = 0o755
				}
				if err := os.WriteFile(filepath.Join(dir, path), []byte(data), mode); err != nil {
					t.Fatal(err)
				}
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			// Whoever has the number now is not asked: no pid is above PID_MAX_LIMIT.
			raw = bytes.ReplaceAll(raw, []byte("/proc/4242/"), []byte("/proc/4194305/"))
			original, err := filepath.Glob(dir + "/state/*/c1/original.json")
			if err != nil || len(original) != 1 {
				t.Fatal(original, err)
			}
			if err := os.WriteFile(original[0], raw, 0o600); err != nil {
				t.Fatal(err)
			}
			pol, err := o.policy()
			if err != nil {
				t.Fatal(err)
			}
			found, err := o.suggest(pol, "c1")
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			s := found[0]
			granted += len(s.grants)
			if len(s.grants) == 0 {
				return
			}
			text = []byte(explain.Policy(s.d.Workload, s.d.Profile, s.d.Rule, s.grants))
			with, err := pol.Before("suggested", text)
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			d, err := door.DryRunOf(with, raw, "c1", "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.stays, denied(d)); diff != "" {
				t.Errorf("it says that other things stay:\n%s", diff)
			}
			// A profile that the workload chose itself stands, whatever the rule says.
			if len(w.Choices)+len(d.Workload.Choices) > 0 {
				return
			}
			for _, r := range d.Refusals {
				if len(r.Grants) > 0 {
					t.Errorf("still refused: %s under\n%s", r, text)
				}
			}
			for _, c := range d.Changes {
				if c.Before != "" && !standing(c) {
					t.Errorf("still taken: %s: %q, given %q, under\n%s", c.Field, c.Before, c.After, text)
				}
			}
		})
	}
	if granted < 100 {
		t.Errorf("only %d grants", granted)
	}
}

// standing is what no key of a profile gives back.
func standing(c control.Attributed) bool {
	return strings.HasPrefix(c.Field, "mounts[") || c.Control == "userns" || c.Field == "linux.seccomp.defaultAction" ||
		strings.HasPrefix(c.Field, "process.capabilities.") && strings.Contains(c.Reason, "not root") || c.Control == "annotations" ||
		c.Field == "linux.resources.memory.disableOOMKiller"
}
