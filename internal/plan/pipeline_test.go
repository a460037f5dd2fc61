package plan

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/control/resources"
	"github.com/hatchdog/hatchdog/internal/engine"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// captured are the specs and the processes of exec that engines wrote.
func captured(tb testing.TB) (docs, processes map[string][]byte) {
	tb.Helper()
	files, err := filepath.Glob("../../integration/testdata/specs/*.json")
	if err != nil || len(files) < 50 {
		tb.Fatalf("captured specs are missing: %v", err)
	}
	docs, processes = map[string][]byte{}, map[string][]byte{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if strings.Contains(name, "-exec-") {
			processes[name] = raw
		} else {
			docs[name] = raw
		}
	}
	return docs, processes
}

func builtins(tb testing.TB) map[string]*policy.Profile {
	tb.Helper()
	pol, err := policy.Default()
	if err != nil {
		tb.Fatal(err)
	}
	return pol.Profiles
}

// fixedFacts is a host with all that a plan can ask for, on which every path of
// the spec leads to what its name says.
func fixedFacts(s *specs.Spec) host.Facts {
	all := []string{"pid", "network", "mount", "ipc", "uts", "cgroup", "time", "user"}
	f := host.Facts{
		ID:             idOf(s),
		Cgroup:         host.Cgroup{Controllers: []string{"cpu", "memory", "pids"}, Swap: true},
		Kernel:         host.Kernel{Namespaces: all, MountSetattr: true},
		Runtime:        host.Runtime{Name: "runc", Version: "1.5.2", Namespaces: all, MountOptions: []string{"rro", "rnosuid", "rnodev"}, UnsafeAnnotations: []string{"bundle", "org.systemd.property.", "org.criu.config"}},
		HostNamespaces: map[string][]host.FileID{},
		Joined:         map[string]host.JoinedNamespace{},
		Sources:        map[string]host.Source{},
		Hooks:          map[string]host.HookFile{},
		Own:            host.Own{Path: "/usr/local/bin/hatchdog", ID: host.FileID{Dev: 1, Ino: 7}, Record: "/run/hatchdog/r/c1"},
		UserNS: host.UserNS{
			Kernel: host.Support{OK: true}, Place: host.Support{OK: true},
			Root: host.RootFS{Idmap: host.Support{OK: true}}, Range: host.IDRange{Base: 1879048192, Size: 65536},
		},
	}
	if s.Process != nil {
		f.UserNS.Range = f.UserNS.Range.With(s.Process.User.UID).With(s.Process.User.GID)
	}
	for i, t := range all {
		f.HostNamespaces[t] = []host.FileID{{Dev: 4, Ino: uint64(i)}}
	}
	if s.Linux != nil {
		for _, ns := range s.Linux.Namespaces {
			id := host.FileID{Dev: 4, Ino: 100}
			if strings.HasPrefix(ns.Path, "/proc/1/") {
				id = f.HostNamespaces[string(ns.Type)][0]
			}
			j := host.JoinedNamespace{ID: id, Type: string(ns.Type), NoHostRoot: ns.Type == specs.UserNamespace && id.Ino == 100, Owner: host.UserNSOwner{Host: true}}
			if proc, _, ok := strings.Cut(ns.Path, "/ns/"); ok && ns.Type != specs.NetworkNamespace && id.Ino == 100 {
				j.Owner = host.UserNSOwner{Path: proc + "/ns/user", Range: host.IDRange{Base: 1879048192, Size: 65536}}
				f.Joined[j.Owner.Path] = host.JoinedNamespace{ID: host.FileID{Dev: 4, Ino: 101}, Type: "user", NoHostRoot: true}
			}
			f.Joined[ns.Path] = j
		}
	}
	if s.Root != nil {
		f.Root = &host.Root{Source: host.Source{Resolved: filepath.Clean("/" + s.Root.Path), Dir: true}, InBundle: !filepath.IsAbs(s.Root.Path)}
	}
	for _, m := range s.Mounts {
		f.Sources[m.Source] = host.Source{
			Resolved: filepath.Clean("/" + m.Source), Dir: true, Steady: true, Idmap: host.Support{OK: true},
			Socket: strings.HasSuffix(m.Source, ".sock"), Device: strings.HasPrefix(m.Source, "/dev/"),
		}
	}
	if s.Hooks != nil {
		for _, h := range s.Hooks.Prestart { //nolint:staticcheck // deprecated, and what Docker writes
			f.Hooks[h.Path] = host.HookFile{Resolved: h.Path, Dockerd: strings.HasSuffix(h.Path, "/exe"), RootOnly: true}
		}
		for _, h := range slices.Concat(s.Hooks.CreateContainer, s.Hooks.Poststop) {
			f.Hooks[h.Path] = host.HookFile{Resolved: h.Path, RootOnly: true}
		}
		for _, h := range s.Hooks.CreateRuntime {
			if h.Path == f.Own.Path {
				f.Hooks[h.Path] = host.HookFile{Resolved: h.Path, ID: f.Own.ID, RootOnly: true}
			}
		}
	}
	return f
}

// outcome is what the pipeline makes of a document.
type outcome struct {
	before, after []byte // after is nil where the request is refused or cannot be judged
	result        Result
	unknown       []string
	err           error
}

// runSpec is the way of a config.json from the engine to the low-level runtime.
func runSpec(raw []byte, p *policy.Profile, restore bool) outcome {
	doc, err := bundle.Decode[specs.Spec](raw)
	if err != nil {
		return outcome{before: raw, err: err}
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return outcome{before: raw, err: err}
	}
	id := idOf(doc.Value)
	var joined []string
	if slices.ContainsFunc(namespacesOf(doc.Value), func(ns specs.LinuxNamespace) bool { return ns.Path != "" }) {
		joined = engine.Others(engine.Asker{Spec: doc.Value, ID: id})
	}
	own := p.For(workload.Identify(doc.Value, id, bundleOf(doc.Value)).Own(joined...))
	res, err := New(own, fixedFacts(doc.Value), Options{Restore: restore}).Apply(&s)
	return finish(doc, &s, res, err)
}

// idOf is the id that the engine gave: Docker and CRI name the control group
// by it.
func idOf(s *specs.Spec) string {
	if s.Linux == nil || s.Linux.CgroupsPath == "" {
		return "c1"
	}
	return path.Base(s.Linux.CgroupsPath)
}

func namespacesOf(s *specs.Spec) []specs.LinuxNamespace {
	if s.Linux == nil {
		return nil
	}
	return s.Linux.Namespaces
}

// bundleOf is where the engine that wrote the spec keeps it.
func bundleOf(s *specs.Spec) string {
	namespace := "moby"
	if s.Annotations["io.kubernetes.cri.container-type"] != "" {
		namespace = "k8s.io"
	}
	return "/run/containerd/io.containerd.runtime.v2.task/" + namespace + "/c1"
}

// runProcess is the way of a process file of exec.
func runProcess(raw []byte, p *policy.Profile) outcome {
	doc, err := bundle.Decode[specs.Process](raw)
	if err != nil {
		return outcome{before: raw, err: err}
	}
	var process specs.Process
	if err := json.Unmarshal(raw, &process); err != nil {
		return outcome{before: raw, err: err}
	}
	res, err := Exec(p, nil).Apply(&specs.Spec{Process: &process})
	return finish(doc, &process, res, err)
}

// runResources is the way of the limits of update.
func runResources(raw []byte, p *policy.Profile) outcome {
	doc, err := bundle.Decode[specs.LinuxResources](raw)
	if err != nil {
		return outcome{before: raw, err: err}
	}
	var r specs.LinuxResources
	if err := json.Unmarshal(raw, &r); err != nil {
		return outcome{before: raw, err: err}
	}
	changes, err := resources.Update(p, fixedFacts(&specs.Spec{}).Cgroup, &r)
	refusals, other := control.Refusals(err)
	res := Result{Refusals: refusals}
	for _, ch := range changes {
		res.Changes = append(res.Changes, control.Attributed{Control: policy.Resources, Change: ch})
	}
	return finish(doc, &r, res, other)
}

func finish[T any](doc *bundle.Document[T], value *T, res Result, err error) outcome {
	o := outcome{before: doc.Raw, result: res, unknown: doc.Unknown, err: err}
	if err != nil || len(res.Refusals) > 0 {
		return o
	}
	after, err := doc.With(value)
	if err != nil {
		o.err = err
		return o
	}
	o.after = after.Raw
	return o
}

// failer is a test, of whichever kind.
type failer interface{ Errorf(string, ...any) }

// wantProven asserts what holds of every outcome: the same request has the same
// outcome, the guard passes it, a second pass changes nothing, and what nobody
// knows is still there. It tells whether the guard passed: it need not where a
// value is not of the shape that the spec gives it (odd).
func wantProven(t failer, o outcome, again func([]byte) outcome, check func(before, after []byte) error, odd bool) bool {
	same := again(o.before)
	if !bytes.Equal(o.after, same.after) || len(o.result.Changes) != len(same.result.Changes) || len(o.result.Refusals) != len(same.result.Refusals) {
		t.Errorf("another outcome of the same request")
	}
	for i, ch := range o.result.Changes {
		if !reflect.DeepEqual(ch, same.result.Changes[i]) {
			t.Errorf("another change of the same request: %v, %v", ch, same.result.Changes[i])
		}
		if ch.Reason == "" || ch.Field == "" || ch.Before == ch.After {
			t.Errorf("a change that says nothing: %+v", ch)
		}
	}
	if o.after == nil {
		return false
	}
	if err := check(o.before, o.after); err != nil {
		if odd {
			return false
		}
		t.Errorf("the guard refuses what the plan made: %v\n%.2000s\n%.2000s", err, o.before, o.after)
	}
	second := again(o.after)
	if staged(o.result.Changes) { // the host work takes the list of devices away, as it binds them
		second.result.Changes = slices.DeleteFunc(second.result.Changes, func(ch control.Attributed) bool { return ch.Control == policy.Devices })
		second.result.Refusals = slices.DeleteFunc(second.result.Refusals, func(r *control.Refusal) bool { return r.Control == policy.Devices })
		if len(second.result.Refusals) == 0 {
			second.after = o.after
		}
	}
	if second.err != nil || len(second.result.Changes) > 0 || len(second.result.Refusals) > 0 || !bytes.Equal(second.after, o.after) {
		t.Errorf("a second pass: %v %v %v", second.err, second.result.Changes, second.result.Refusals)
	}
	if len(o.result.Changes) == 0 && !bytes.Equal(o.before, o.after) {
		t.Errorf("changed without a change")
	}
	for _, line := range marks(o.before) {
		if !bytes.Contains(o.after, line) {
			t.Errorf("lost %s in\n%.6000s", line, o.after)
		}
	}
	return true
}

func checkSpec(before, after []byte) error { return guard.Check(before, after, fixedEvidence()) }

// fixedEvidence is what the guard can check on that host.
func fixedEvidence() guard.Evidence {
	h := fixedFacts(&specs.Spec{}).Own.Hook()
	return guard.Evidence{
		Hook:     &guard.Hook{Path: h.Path, Args: h.Args, Handle: h.Path},
		Identify: func(string) (uint64, uint64, error) { return 1, 7, nil },
		Mapping:  func(string) ([][2]uint32, error) { return [][2]uint32{{1879048192, 65536}}, nil },
	}
}

// staged reports whether a user namespace of ours was added.
func staged(changes []control.Attributed) bool {
	return slices.ContainsFunc(changes, func(ch control.Attributed) bool { return ch.Field == "linux.namespaces[user]" })
}
