package door

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// ownSpec is the container's own process in these tests.
func ownSpec() *specs.Process {
	return &specs.Process{
		Terminal: true, ConsoleSize: &specs.Box{Height: 5, Width: 9}, Args: []string{"init"}, Env: []string{"A=1"}, Cwd: "/w", NoNewPrivileges: true,
		User:         specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}},
		Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}, Effective: []string{"CAP_CHOWN"}, Permitted: []string{"CAP_CHOWN"}},
		Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}},
	}
}

// execIn judges an exec by flags in a container whose record has its process.
func execIn(t *testing.T, profile *policy.Profile, line string) (*further, []string, *specs.Process, error) {
	t.Helper()
	f := held(t, profile, line)
	f.w = World{Getenv: func(string) string { return "" }}
	store := decision.Store{Base: t.TempDir()}
	if err := os.Chmod(store.Base, 0o700); err != nil {
		t.Fatal(err)
	}
	claim, err := store.Claim("/none", "c1")
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.KeepProcess(ownSpec()); err != nil {
		t.Fatal(err)
	}
	f.dir = claim.Dir()
	f.rec.Decision.Bundle = "/the/bundle"
	f.rec.Decision.Runtime.Name = "runc"
	args, err := f.execArgs()
	if err != nil || args == nil {
		return f, args, nil, err
	}
	at := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--process=") })
	if at < 0 {
		t.Fatalf("%s: no document: %v", line, args)
	}
	raw, err := os.ReadFile(strings.TrimPrefix(args[at], "--process="))
	if err != nil {
		t.Fatal(err)
	}
	var p specs.Process
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	return f, slices.Delete(slices.Clone(args), at, at+1), &p, nil
}

// What runc's getProcess makes of the flags (exec.go), held to the profile.
func TestExecByFlagsIsADocument(t *testing.T) {
	profile := *builtin(t, "restricted")
	profile.Capabilities.NonRoot = policy.NonRootKeep
	profile.Privilege.DeniedGids = []uint32{9}
	for line, want := range map[string]struct {
		args string
		edit func(*specs.Process)
	}{
		"exec c1 sh -c x --cap CAP_SYS_ADMIN": {"exec c1", func(p *specs.Process) { p.Args = []string{"sh", "-c", "x", "--cap", "CAP_SYS_ADMIN"} }},
		"exec -- c1 -- sh":                    {"exec -- c1", func(p *specs.Process) { p.Args = []string{"--", "sh"} }},
		"exec -t --cwd /x -e B=2 --env=A=3,4 -d --pid-file=p c1 sh": {"exec -d --pid-file=p c1", func(p *specs.Process) {
			p.Terminal, p.Cwd, p.Env = true, "/x", []string{"A=1", "B=2", "A=3,4"}
		}},
		"exec --user 8 c1 sh":                                    {"exec c1", func(p *specs.Process) { p.User.UID = 8 }},
		"exec -u 8:9 -g 16 -g 9 c1 sh":                           {"exec c1", func(p *specs.Process) { p.User = specs.User{UID: 8, GID: 9, AdditionalGids: []uint32{7, 16}} }},
		"exec --no-new-privs=false c1 sh":                        {"exec c1", func(*specs.Process) {}},
		"exec --cap CAP_SYS_ADMIN c1 sh":                         {"exec c1", func(*specs.Process) {}},
		"exec -c KILL -c CAP_KILL c1 sh":                         {"exec c1", func(p *specs.Process) { addCaps(p, []string{"CAP_KILL"}) }},
		"exec --cwd= --user= c1 sh":                              {"exec c1", func(*specs.Process) {}},
		"exec --console-socket s -t c1 sh":                       {"exec --console-socket /the/bundle/s c1", func(p *specs.Process) { p.Terminal = true }},
		"exec --preserve-fds 2 --cgroup x --ignore-paused c1 sh": {"exec --preserve-fds 2 --cgroup x --ignore-paused c1", func(*specs.Process) {}},
	} {
		p := ownSpec()
		p.Terminal, p.Args = false, []string{"sh"}
		want.edit(p)
		_, args, got, err := execIn(t, &profile, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if have := strings.Join(args[1:], " "); have != want.args {
			t.Errorf("%s:\n  %s, want\n  %s", line, have, want.args)
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("%s:\n  %+v, want\n  %+v", line, got, p)
		}
	}
}

func TestExecByFlagsIsRefused(t *testing.T) {
	profile := *builtin(t, "restricted")
	for _, flag := range []string{"--apparmor=unconfined", "--process-label=x"} {
		f, args, _, err := execIn(t, &profile, "exec "+flag+" c1 sh")
		if err != nil || args != nil || len(f.decision.Refusals) != 1 {
			t.Errorf("%s: %v %v %v", flag, args, f.decision.Refusals, err)
		}
	}
	for line, want := range map[string]error{ // runc would cut the first two to 32 bits
		"exec -g 4294967302 c1 sh":     errNumber,
		"exec -u 4294967302:0 c1 sh":   errNumber,
		"exec -u 0:-1 c1 sh":           errNumber,
		"exec --user x c1 sh":          errNumber,
		"exec -g 0x10 c1 sh":           errNumber,
		"exec --additional-gids= c1 x": errNumber,
		"exec c1":                      errNoArgs,
	} {
		if _, _, _, err := execIn(t, &profile, line); !errors.Is(err, want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// A record of an earlier version, and a container that hatchdog did not create:
// the bundle's process, if nobody rewrote it.
func TestExecByFlagsWithoutARecordedProcess(t *testing.T) {
	dir := t.TempDir()
	spec := `{"ociVersion":"1.2.0","process":{"cwd":"/here"}}`
	write(t, dir+"/config.json", spec)
	f := held(t, builtin(t, "restricted"), "exec c1 sh")
	f.dir, f.rec.Decision.Bundle, f.rec.Decision.SpecOut = dir+"/none", dir, digest([]byte(spec))
	if p, err := f.ownProcess(); err != nil || p.Cwd != "/here" {
		t.Errorf("%v %v", p, err)
	}
	f.rec.Decision.SpecOut = digest([]byte(spec + " "))
	if _, err := f.ownProcess(); !errors.Is(err, errRewritten) {
		t.Error("a bundle that was rewritten was taken:", err)
	}
}

func TestExecStaysInTheGroup(t *testing.T) {
	for group, leaves := range map[string]bool{
		"": false, "/": false, "below": false, "/a/b..c": false, "cpu,memory:/x": false,
		"..": true, "../..": true, "/a/../../b": true, "cpu:../x": true, "cpu:/a/..": true,
	} {
		if got := leavesGroup(group); got != leaves {
			t.Errorf("%q: %v", group, got)
		}
	}
}
