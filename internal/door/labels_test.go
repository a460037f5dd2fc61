package door

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// labelled is an exec into a container with LSM labels.
func labelled(t *testing.T, flags ...string) *further {
	t.Helper()
	dir := t.TempDir()
	config := []byte(`{"ociVersion":"1.0.2","process":{"apparmorProfile":"` + stays + `","capabilities":{}}}`)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	getenv := func(string) string { return "" }
	call, err := argv.Parse(append(append([]string{"hatchdog", "exec"}, flags...), "c1", "true"), root, getenv)
	if err != nil {
		t.Fatal(err)
	}
	return &further{
		w: World{Getenv: getenv}, call: call,
		rec: &decision.Record{
			Decision: decision.Decision{Bundle: dir, SpecOut: digest(config)},
			Ceiling:  &policy.Profile{},
			Labels:   decision.Labels{Apparmor: "hatchdog-restricted", SELinux: "u:r:container_t:s0:c1"},
		},
	}
}

const stays = "hatchdog-restricted"

func TestExecFlagsCannotLeaveTheLabels(t *testing.T) {
	for _, c := range []struct {
		flags   string
		want    string // "" is refused
		changes int
	}{
		{"", stays, 0},
		{"--apparmor " + stays, stays, 0},
		{"--apparmor docker-default", stays, 1},
		{"--apparmor=unconfined", stays, 1},
		{"-apparmor unconfined --apparmor=docker-default", stays, 1},
		{"--apparmor hatchdog-untrusted", "hatchdog-untrusted", 0},
		{"--apparmor=unconfined --apparmor=", stays, 0},
		{"--apparmor custom", "", 0},
		{"--apparmor :ns:x", "", 0},
		{"--process-label u:r:container_t:s0:c1", stays, 0},
		{"--process-label u:r:spc_t:s0", "", 0},
	} {
		f := labelled(t, strings.Fields(c.flags)...)
		doc, err := f.flagsProcess()
		if err != nil {
			t.Fatal(err)
		}
		after, err := f.judgeProcess(doc)
		if err != nil {
			t.Fatal(err)
		}
		moved := slices.DeleteFunc(slices.Clone(f.decision.Changes), func(a control.Attributed) bool { return a.Control != policy.Apparmor })
		if (c.want == "") != (len(f.decision.Refusals) > 0) || len(moved) != c.changes {
			t.Errorf("%s: %v %v", c.flags, f.decision.Changes, f.decision.Refusals)
		}
		if c.want != "" && !strings.Contains(string(after), `"apparmorProfile":"`+c.want+`"`) {
			t.Errorf("%s: %s", c.flags, after)
		}
	}
}

func TestExecFilesCannotLeaveTheLabels(t *testing.T) {
	for _, c := range []struct {
		labels, want string // "" is refused
	}{
		{``, ``},
		{`,"apparmorProfile":"docker-default"`, stays},
		{`,"apparmorProfile":"unconfined"`, stays},
		{`,"apparmorProfile":"hatchdog-untrusted"`, "hatchdog-untrusted"},
		{`,"apparmorProfile":"custom"`, "refused"},
		{`,"apparmorProfile":"hatchdog-restricted//&unconfined"`, "refused"},
		{`,"apparmorProfile":"hatchdog-restricted\n"`, "refused"},
		{`,"selinuxLabel":"u:r:spc_t:s0"`, "refused"},
	} {
		file := filepath.Join(t.TempDir(), "process.json")
		if err := os.WriteFile(file, []byte(`{"args":["true"],"cwd":"/","capabilities":{}`+c.labels+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		f := labelled(t, "--process", file)
		args, err := f.execArgs()
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "refused" {
			if len(f.decision.Refusals) != 1 || args != nil {
				t.Errorf("%s: %v", c.labels, f.decision.Refusals)
			}
			continue
		}
		after, err := os.ReadFile(args[3])
		if err != nil || c.want != "" && !strings.Contains(string(after), `"apparmorProfile":"`+c.want+`"`) || c.want == "" && strings.Contains(string(after), "apparmor") {
			t.Errorf("%s: %s %v", c.labels, after, err)
		}
	}
}

// root has no runtime directory of its own.
func root() bool { return false }
