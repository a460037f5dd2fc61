package policy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/workload"
)

func builtins(tb testing.TB) *Policy {
	tb.Helper()
	p, err := Default()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestBuiltinsAreWhatTheDesignSays(t *testing.T) {
	p := builtins(t)
	res, err := p.Resolve(workload.Workload{Engine: workload.Docker})
	if err != nil || res.Profile.Name != "builtin/restricted" || p.Mode != Enforce {
		t.Fatalf("%v %v", res, err)
	}
	r := res.Profile
	if got := strings.Join(r.Capabilities.Max, " "); got != "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID" {
		t.Error(got)
	}
	if *r.Pids.Max != 1024 || r.Memory.Max != nil || *r.Memory.Swap != 0 || !r.Privilege.NoNewPrivileges || r.Privilege.OOMScoreAdjMin != 0 {
		t.Errorf("%+v", r)
	}
	u := p.Profiles["builtin/untrusted"]
	if len(u.Capabilities.Max) != 0 || *u.Pids.Max != 256 || *u.Memory.Max != 512<<20 || *u.CPU.MaxMilli != 1000 || !u.RootFS.ReadOnly {
		t.Errorf("%+v", u)
	}
	for _, b := range p.Profiles {
		for _, control := range controlNames() {
			if b.OnExcess[control] == "" {
				t.Errorf("%s: no onExcess for %s", b.Name, control)
			}
		}
		for _, m := range slices.Concat(b.Mounts.Masked, b.Mounts.ReadOnly) {
			if m.Reason == "" {
				t.Errorf("%s: %s has no reason", b.Name, m.Path)
			}
		}
	}
}

func TestCheckFindsEveryError(t *testing.T) {
	file := `version: 1
mode: enforced
profle: restricted
rules:
  - match: {engine: docker, image: "x"}
    profile: restrictd
profiles:
  web:
    extends: builtin/restricted
    memory: {max: 2XB}
    capabilities: {max: [CHOWN, NET_RAWW]}
    pids: {max: 10, max: 11}
    egresss: {default: deny}
  loop: {extends: loop}
`
	err := Check("p.yaml", []byte(file))
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatal(err)
	}
	for _, want := range []string{
		`p.yaml:2:7: mode: "enforced" is not one of enforce, complain; did you mean "enforce"?`,
		`p.yaml:3:1: profle: unknown key; did you mean "profile"?`,
		`rules.profile: no profile "restrictd"`,
		`p.yaml:10:19: memory.max: "2XB" is not a size such as 512MiB`,
		`"NET_RAWW" is not a capability; did you mean "CAP_NET_RAW"?`,
		`p.yaml:12:21: pids.max: given twice, first on line 12`,
		`p.yaml:13:5: egresss: unknown key; did you mean "egress"?`,
		`p.yaml:14:19: extends: "loop" extends itself`,
	} {
		if !strings.Contains(errs.Error(), want) {
			t.Errorf("missing %q in\n%s", want, errs)
		}
	}
}

func TestAcceptedVersions(t *testing.T) {
	for text, want := range map[string]string{
		`["runc 1.1.5"]`:                          `p.yaml:2:20: runtime.accept[0]: a version alone is not taken: write {version: "runc 1.1.5", because: WHY, open: [CVE-...]}`,
		`[{version: runc 1.1.5, open: [CVE-1]}]`:  "runtime.accept[0]: version and because are wanted",
		`[{because: it has to be}]`:               "runtime.accept[0]: version and because are wanted",
		`[{version: runc 1.1.5, because: it is}]`: "",
	} {
		err := Check("p.yaml", []byte("version: 1\nruntime: {accept: "+text+"}\n"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRulesAndChoices(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := `version: 1
profile: untrusted
offers: [untrusted, small]
rules:
  - match: {engine: cri, namespace: kube-*}
    profile: baseline
  - match: {image: "*/postgres:*"}
    profile: small
profiles:
  small: {extends: builtin/restricted, memory: {max: 1GiB}, pids: {max: 50}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := LoadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	resolve := func(w workload.Workload) *Profile {
		t.Helper()
		res, err := p.Resolve(w)
		if err != nil {
			t.Fatal(err)
		}
		return res.Profile
	}
	if got := resolve(workload.Workload{Engine: "cri", Namespace: "kube-system"}).Name; got != "builtin/baseline" {
		t.Error(got)
	}
	if got := resolve(workload.Workload{Engine: "cri", Image: "docker.io/library/postgres:15"}); got.Name != "small" || *got.Memory.Max != 1<<30 {
		t.Error(got.Name)
	}
	if got := resolve(workload.Workload{Engine: "docker", Namespace: "kube-system"}).Name; got != "builtin/untrusted" {
		t.Error(got)
	}
	// A choice never relaxes: small is wider than untrusted in memory.
	got := resolve(workload.Workload{Choices: map[string]string{"profile": "small"}})
	if *got.Memory.Max != 512<<20 || *got.Pids.Max != 50 || len(got.Capabilities.Max) != 0 || !got.RootFS.ReadOnly {
		t.Errorf("%+v", got)
	}
	for _, c := range []map[string]string{{"profile": "baseline"}, {"memory": "1G"}} {
		if _, err := p.Resolve(workload.Workload{Choices: c}); !errors.Is(err, ErrChoice) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if at := p.Profiles["small"].Where("memory.max"); at != file+":10 memory.max" {
		t.Error(at)
	}
}

func TestLoadRefusesWhatOthersCanWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(file); !errors.Is(err, ErrWritable) {
		t.Error(err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(file, 0o600), os.Chown(file, 12345, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(file); !errors.Is(err, ErrOwner) {
		t.Error(err)
	}
}

func TestLoadRefusesAPathOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	home := filepath.Join(t.TempDir(), "home")
	file := filepath.Join(home, "etc", "policy.yaml")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("version: 1\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, 12345, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(file); !errors.Is(err, ErrUnsteady) {
		t.Error(err)
	}
}

func TestAccessFor(t *testing.T) {
	m := builtins(t).Profiles["builtin/restricted"].Mounts
	for p, want := range map[string]Access{
		"/":                               AccessNone,
		"/srv/data":                       AccessRW,
		"/etc":                            AccessNone,
		"/etc/shadow":                     AccessNone,
		"/etc/localtime":                  AccessRO,
		"/etcetera":                       AccessRW,
		"/run/docker.sock":                AccessNone,
		"/var/lib/docker":                 AccessNone,
		"/var/lib/docker/volumes/x/_data": AccessRW,
		"/var/lib/docker/volumes/x":       AccessNone,
		"/usr/share/x":                    AccessRO,
	} {
		if got, _ := m.AccessFor(p); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
	if in := m.Contains("/var"); len(in) == 0 {
		t.Error("/var holds the engines' state")
	}
}

func TestHeldTo(t *testing.T) {
	p := builtins(t).Profiles["builtin/baseline"]
	spec := &specs.Spec{Process: &specs.Process{
		Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}},
		Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 100, Soft: 10}},
	}}
	h := p.HeldTo(spec)
	if !slices.Equal(h.Capabilities.Max, []string{"CAP_CHOWN"}) || h.Privilege.Rlimits["RLIMIT_NOFILE"].Max != 100 {
		t.Errorf("%+v", h)
	}
	if !h.Privilege.Rlimits["RLIMIT_NOFILE"].Force {
		t.Error("an exec that lists other limits loses this one")
	}
	if p.Privilege.Rlimits["RLIMIT_NOFILE"].Max == 100 {
		t.Error("the profile itself was changed")
	}
	if h := p.HeldTo(&specs.Spec{}); len(h.Capabilities.Max) != 0 {
		t.Error("no process, but capabilities")
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("version: 1\nprofiles: {a: {extends: builtin/baseline}}"))
	files, err := filepath.Glob("../../profiles/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no profiles", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(_ *testing.T, data []byte) { _ = Check("p.yaml", data) })
}

func BenchmarkDefault(b *testing.B) {
	for b.Loop() {
		builtins(b)
	}
}
