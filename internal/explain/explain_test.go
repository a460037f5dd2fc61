package explain

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

func change(ctl, field, before, after string) control.Attributed {
	return control.Attributed{Control: ctl, Change: control.Change{Field: field, Before: before, After: after}}
}

func TestCannot(t *testing.T) {
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	changes := []control.Attributed{
		change("capabilities", "process.capabilities.bounding", "CAP_MKNOD CAP_NET_RAW CAP_KILL", "CAP_KILL"),
		change("seccomp", "linux.seccomp.syscalls", "io_uring_setup ptrace", "denied"),
		change("seccomp", "linux.seccomp.syscalls", "socket", "allowed for some arguments only"),
		change("privilege", "process.noNewPrivileges", "", "true"),
		change("mounts", "linux.maskedPaths", "", "/proc/kallsyms"),
		change("resources", "linux.resources.pids.limit", "", "1024"),
		change("userns", "linux.namespaces[user]", "", "new"),
	}
	want := []string{
		"become root of the host", "make device nodes", "forge network packets", "reach 169.254.169.254 (the cloud's credentials)",
		"gain privileges by setuid programs", "trace processes", "use io_uring", "read 1 files of the host's kernel", "start more than 1024 processes",
	}
	if diff := cmp.Diff(want, Cannot(changes, pol.Profiles["builtin/restricted"])); diff != "" {
		t.Error(diff)
	}
	// What nothing was taken for is not said.
	if got := Cannot(nil, nil); len(got) > 0 {
		t.Error(got)
	}
	open := *pol.Profiles["builtin/restricted"]
	open.Egress = policy.EgressRules{Default: "allow"}
	if got := Cannot(nil, &open); len(got) > 0 {
		t.Error(got)
	}
	if got := Cannot([]control.Attributed{change("capabilities", "process.capabilities.bounding", "CAP_KILL", "none")}, nil); len(got) > 0 {
		t.Error(got)
	}
}

func TestSectionsLoseNothing(t *testing.T) {
	changes := []control.Attributed{
		change("mounts", "linux.maskedPaths", "", "/a"), change("unheard of", "x", "", "y"), change("userns", "linux.namespaces[user]", "", "new"),
		change("mounts", "linux.maskedPaths", "", "/b"), change("mounts", "mounts[/x].options", "rw", "ro"), change("resources", "linux.resources.pids.limit", "", "5"),
		change("mounts", "linux.readonlyPaths", "", "/c"),
	}
	var order []string
	n := 0
	for _, s := range Sections(changes) {
		order = append(order, s.Title)
		n += len(s.Changes)
	}
	if want := []string{"Ways to root", "The host's files and processes", "What the host's kernel tells", "The host's resources", "Else"}; !slices.Equal(order, want) || n != len(changes) {
		t.Errorf("%v, %d of %d", order, n, len(changes))
	}
	short := Short(changes)
	if len(short) != len(changes)-1 || short[0].After != "2 paths (--all)" || short[len(short)-1].After != "/c" {
		t.Errorf("%+v", short)
	}
}

var granted = regexp.MustCompile(`\b(?:Add|Set)\("([a-zA-Z.]+)"`)

// Whatever a refusal may grant, something is said of whether it is wise.
func TestWiseKnowsEveryGrant(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || !strings.Contains(path, "/control/") && !strings.Contains(path, "/door/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range granted.FindAllStringSubmatch(string(text), -1) {
			seen++
			if wise(control.Add(m[1], "x")) == noWords {
				t.Errorf("%s: nothing is said of %s", path, m[1])
			}
		}
		return nil
	})
	if err != nil || seen < 15 {
		t.Errorf("%d grants: %v", seen, err)
	}
	if got := Wise(&control.Refusal{}); !strings.Contains(got, "no policy") {
		t.Error(got)
	}
}

// What is to be pasted is a policy, and gives the workload what it says.
func TestPasted(t *testing.T) {
	grants := []control.Grant{control.Add("namespaces.host", "pid"), control.Add("mounts.allow", "{path: /srv, access: rw}"), control.Add("namespaces.host", "ipc"), control.Set("userns.mode", "off")}
	for name, w := range map[string]workload.Workload{
		"docker": {Engine: "docker", ID: "c1", Name: "web", ImageDigests: []string{"sha256:aa"}},
		"nobody": {Engine: "other", ID: "c1"},
		"pod":    {Engine: "cri", ID: "c1", Namespace: "shop", Pod: "front-6d4b75cb6d-x7x2p", Container: "app"},
		"pause":  {Engine: "cri", ID: "c1", Namespace: "shop", Pod: "db-0", Sandbox: true},
		"quotes": {Engine: "cri", ID: "c1", Namespace: "a\"b: {", Pod: "x", Container: "#"},
	} {
		for _, profile := range []string{"builtin/restricted", "builtin/restricted met with builtin/untrusted", "/etc/hatchdog/policy.yaml:12"} {
			text := Policy(w, profile, "p.yaml:3", grants)
			file := filepath.Join(t.TempDir(), "policy.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			pol, err := policy.LoadFile(file)
			if err != nil {
				t.Errorf("%s: %v in\n%s", name, err, text)
				continue
			}
			res, err := pol.Resolve(w)
			if err != nil || res.Rule == "" || !slices.Contains(res.Profile.Namespaces.Host, "pid") || !slices.Contains(res.Profile.Namespaces.Host, "ipc") || res.Profile.UserNS.Mode != policy.UserNSOff {
				t.Errorf("%s: %v %+v in\n%s", name, err, res, text)
			}
			if other, err := pol.Resolve(workload.Workload{Engine: w.Engine, ID: "c2"}); err != nil || other.Rule != "" {
				t.Errorf("%s: it opens for others:\n%s", name, text)
			}
		}
	}
	if got := Policy(workload.Workload{Engine: "docker"}, "x", "", []control.Grant{{Key: "unrecorded", Value: "profile", Top: true}}); got != "version: 1\nunrecorded: profile\n" {
		t.Error(got)
	}
	if got := Admitting(workload.Workload{}, "x", "", []*control.Refusal{{Grants: grants}, {}}); got != "" {
		t.Error(got)
	}
}
