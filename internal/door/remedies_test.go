package door

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/control/resources"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// asking is what somebody asks for, on a host.
type asking struct {
	spec    *specs.Spec
	facts   host.Facts
	unknown []string // fields
	line    string   // of create, where flags are what is judged
	restore bool
	update  *specs.LinuxResources // asked for instead of a container
	labels  [2]string             // AppArmor and SELinux of a further process, instead of a container
}

// remedy is one way to be refused. Following what the refusal says, in the
// policy (its grants) or in the request (follow), has it admitted.
type remedy struct {
	site    string // the place of the code, as refusalSites names it
	name    string
	profile string // keys of the profile that refuses, beyond those of from
	from    string // "" is restricted
	ask     func(*asking)
	// follow does to the request, or to the host, what the words say; nil where
	// only the policy can help.
	follow func(*asking)
	// ungranted is true where no key of the policy admits it.
	ungranted bool
}

// Every remedy is true: the policy that it names admits the request, and so
// does the change of the request that it describes.
func TestRemediesAreTrue(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range slices.Concat(remediesOfControls(), remediesOfHostAccess(), remediesOfMounts(), remediesOfDoors()) {
		covered[c.site] = true
		t.Run(c.site+" "+c.name, func(t *testing.T) { c.test(t) })
	}
	for _, site := range refusalSites(t, "..") {
		if !covered[site] && testedElsewhere(site) == "" {
			t.Errorf("%s refuses, and no case follows its remedy: add one to the lists of remedies_*_test.go", site)
		}
		delete(covered, site)
	}
	for site := range covered {
		t.Errorf("%s is not a place that refuses any more", site)
	}
}

func (c remedy) test(t *testing.T) {
	asked := "extends: builtin/" + or(c.from, "restricted") + c.profile
	r := sound()
	c.ask(r)
	refusals := r.judge(t, profileOf(t, asked, ""))
	if len(refusals) == 0 {
		t.Fatal("it is not refused")
	}
	var grants []control.Grant
	granted := true
	for _, one := range refusals {
		if one.Remedy == "" || one.Policy == "" || one.Field == "" {
			t.Errorf("it does not say field, policy and remedy: %+v", one)
		}
		grants = append(grants, one.Grants...)
		granted = granted && len(one.Grants) > 0
		for _, g := range one.Grants {
			if !strings.Contains(one.Error(), g.Key) || !strings.Contains(one.Error(), g.Value) {
				t.Errorf("the words do not say %s: %s", control.Fragment(one.Grants), one)
			}
		}
	}
	if granted == c.ungranted {
		t.Errorf("granted by the policy: %v: %v", granted, refusals)
	}
	if granted {
		if left := r.judge(t, profileOf(t, asked, control.Fragment(grants))); len(left) > 0 {
			t.Errorf("%s does not admit it: %v", control.Fragment(grants), left)
		}
	}
	if c.follow == nil {
		if !granted {
			t.Error("nothing helps")
		}
		return
	}
	c.follow(r)
	if left := r.judge(t, profileOf(t, asked, "")); len(left) > 0 {
		t.Errorf("%q was followed, and it is still refused: %v", refusals[0].Remedy, left)
	}
}

func or(s, without string) string {
	if s == "" {
		return without
	}
	return s
}

// profileOf reads a profile as an administrator writes it.
func profileOf(t *testing.T, asked, granted string) *policy.Profile {
	t.Helper()
	if granted != "" {
		granted = ", " + granted
	}
	text := fmt.Sprintf("version: 1\nprofile: granted\nprofiles:\n  asked: {%s}\n  granted: {extends: asked%s}\n", asked, granted)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pol, err := policy.LoadFile(file)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return pol.Profiles["granted"]
}

// judge tells what the profile refuses of a request.
func (r *asking) judge(t *testing.T, p *policy.Profile) []*control.Refusal {
	t.Helper()
	switch {
	case r.update != nil:
		_, err := resources.Update(p, r.facts.Cgroup, r.update)
		refusals, other := control.Refusals(err)
		if other != nil {
			t.Fatal(other)
		}
		return refusals
	case r.labels != [2]string{}:
		f := labelled(t)
		f.rec.Ceiling = p
		f.labels(r.labels[0], r.labels[1])
		return f.decision.Refusals
	}
	raw, err := json.Marshal(r.spec)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := copySpec(raw)
	if err != nil {
		t.Fatal(err)
	}
	call, err := argv.Parse(strings.Fields("hatchdog "+or(r.line, "create --bundle /b c1")), root, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	r.facts.UserNS.Range = plan.WantIDs(p, r.facts, spec)
	r.facts.UserNS.Range.Base = 1879048192
	res, err := plan.New(p, r.facts, plan.Options{Restore: r.restore, Starts: call.Door != argv.Create}).Apply(spec)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(unknownFields(p, r.unknown), flagRefusals(p, call), res.Refusals)
}

// sound is a request that every built-in profile admits, on a host that has
// all.
func sound() *asking {
	s := &specs.Spec{
		Process: &specs.Process{Args: []string{"true"}, Cwd: "/", NoNewPrivileges: true},
		Root:    &specs.Root{Path: "rootfs"},
		Linux:   &specs.Linux{Resources: &specs.LinuxResources{}},
	}
	all := []string{"pid", "network", "mount", "ipc", "uts", "cgroup", "time", "user"}
	f := host.Facts{
		Cgroup:         host.Cgroup{Controllers: []string{"cpu", "memory", "pids"}, Swap: true},
		Kernel:         host.Kernel{Namespaces: all, MountSetattr: true},
		Runtime:        host.Runtime{Name: "runc", Version: "1.5.2", Namespaces: all, MountOptions: []string{"rro", "rnosuid", "rnodev"}},
		HostNamespaces: map[string][]host.FileID{},
		Joined:         map[string]host.JoinedNamespace{},
		Sources:        map[string]host.Source{},
		Nodes:          map[string]host.Node{},
		Hooks:          map[string]host.HookFile{},
		Own:            host.Own{Path: "/usr/local/bin/hatchdog", Record: "/run/hatchdog/r/c1"},
		Root:           &host.Root{Source: host.Source{Resolved: "/b/rootfs", Dir: true}, InBundle: true},
		UserNS: host.UserNS{
			Kernel: host.Support{OK: true}, Place: host.Support{OK: true},
			Root: host.RootFS{Idmap: host.Support{OK: true}}, Range: host.IDRange{Base: 1879048192, Size: 65536},
		},
	}
	for i, t := range all {
		f.HostNamespaces[t] = []host.FileID{{Dev: 4, Ino: uint64(i + 1)}}
	}
	for _, t := range all[:5] {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.LinuxNamespaceType(t)})
	}
	return &asking{spec: s, facts: f}
}

// namespace sets one of the spec's; nil takes it away.
func (r *asking) namespace(t specs.LinuxNamespaceType, path *string) {
	l := r.spec.Linux
	l.Namespaces = slices.DeleteFunc(slices.Clone(l.Namespaces), func(n specs.LinuxNamespace) bool { return n.Type == t })
	if path != nil {
		l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: t, Path: *path})
	}
}

// joins has the container join a namespace that has this identity.
func (r *asking) joins(t specs.LinuxNamespaceType, found host.JoinedNamespace) {
	path := "/proc/99/ns/" + string(t)
	found.Type = string(t)
	r.namespace(t, &path)
	r.facts.Joined[path] = found
}
