package door

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/control"
)

// remediesOfDoors are those of flags, of documents and of further processes.
func remediesOfDoors() []remedy {
	line := func(s string) func(*asking) { return func(r *asking) { r.line = s } }
	return []remedy{
		{site: "door:unknownFields#1", from: "untrusted", ask: func(r *asking) { r.unknown = []string{"linux.new"} }, follow: func(r *asking) { r.unknown = nil }},
		{site: "door:flagRefusals#1", ask: line("create --no-pivot --bundle /b c1"), follow: line(""), ungranted: true},
		{site: "door:flagRefusals#2", ask: line("restore --bundle /b c1"), follow: line("")},
		{site: "door:flagRefusals#3", profile: ", restore: admit", ask: line("restore --lsm-profile x --bundle /b c1"), follow: line("restore --bundle /b c1"), ungranted: true},
		{site: "door:flagRefusals#4", profile: ", restore: admit", ask: line("restore --manage-cgroups-mode full --bundle /b c1"), follow: line("restore --bundle /b c1"), ungranted: true},
		{site: "door:labels#2", ask: func(r *asking) { r.labels[1] = "other" }, follow: func(r *asking) { r.labels = [2]string{"hatchdog-restricted", ""} }, ungranted: true},
	}
}

// testedElsewhere names the test of a refusal that needs more than a request.
func testedElsewhere(site string) string {
	switch {
	case site == "door:unrecorded#1":
		return "TestRemedyOfAContainerThatNobodyKnows"
	case site == "door:withoutProc#1":
		return "TestWithoutProc"
	case strings.HasPrefix(site, "door:refusals#"):
		return "TestWhatIsAnothersIsRefused"
	case site == "door:labels#1":
		return "a host with AppArmor: integration, TestApparmorExec"
	case site == "control/apparmor:choose#1":
		return "control/apparmor: a policy that was read has a profile's name"
	}
	return ""
}

func TestRemedyOfAContainerThatNobodyKnows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	w := World{Getenv: func(name string) string {
		if name == "HATCHDOG_POLICY" {
			return file
		}
		return ""
	}}
	ask := func(text string) []*control.Refusal {
		if err := os.WriteFile(file, []byte("version: 1\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := w.unrecorded(t.TempDir(), "c1")
		var r *refused
		if errors.As(err, &r) {
			return r.refusals
		}
		return nil
	}
	first := ask("unrecorded: refuse\n")
	if len(first) != 1 || !strings.Contains(first[0].Remedy, "unrecorded") {
		t.Fatal(first)
	}
	if again := ask(control.Fragment(first[0].Grants) + "\n"); len(again) > 0 {
		t.Error(again)
	}
}
