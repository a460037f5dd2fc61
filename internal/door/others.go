package door

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// others judges what the spec asks for that the records show to be another
// workload's own.
type others struct {
	store decision.Store
	self  string // the record's directory
	who   workload.Workload
	dir   string // the bundle
	p     *policy.Profile
}

// refusals are those of a spec.
func (o others) refusals(s *specs.Spec, f host.Facts) []*control.Refusal {
	if o.p.Others != policy.OthersRefuse {
		return nil
	}
	var all []*control.Refusal
	refuse := func(field, what string, owner *decision.Record) {
		r := &control.Refusal{
			Control: "others", Field: field, Reason: what + " is " + named(owner) + "'s own", Policy: o.p.Where("others"), Remedy: "ask for one of its own",
		}
		all = append(all, r.Granting(control.Set("others", string(policy.OthersAdmit))))
	}
	for _, t := range groups(s) {
		if owner := o.another(t.thing); owner != nil {
			refuse("linux.cgroupsPath", "the control group "+t.path, owner)
			break
		}
	}
	if f.Root != nil && !f.Root.Missing && f.Root.Err == "" {
		if owner := o.files(f.Root.Source); owner != nil {
			refuse("root.path", "the root file system there, or a part of it,", owner)
		}
	}
	for _, m := range s.Mounts {
		src, ok := f.Sources[m.Source]
		if !ok || src.Err != "" {
			continue
		}
		if owner := o.files(src); owner != nil {
			refuse("mounts["+m.Destination+"].source", "the root file system there, or a part of it,", owner)
		}
	}
	for _, ns := range namespaces(s) {
		if owner := o.joined(ns, f); owner != nil {
			refuse("linux.namespaces["+string(ns.Type)+"].path", "the "+string(ns.Type)+" namespace", owner)
		}
	}
	return all
}

// another is the record of another living container that a thing belongs to.
func (o others) another(t decision.Thing) *decision.Record {
	owner := o.store.Owner(t)
	if owner == nil || o.store.Dir(owner.Decision.Root, owner.Decision.ID) == o.self {
		return nil
	}
	return owner
}

// joined is the container whose namespace the spec joins, where its engine did
// not name it: another engine's, another pod's, or one of which no engine is
// known.
func (o others) joined(ns specs.LinuxNamespace, f host.Facts) *decision.Record {
	if ns.Path == "" {
		return nil
	}
	var owner *decision.Record
	if file := spaceFile(ns.Type); file != "" {
		owner = o.another(decision.Space(file, f.Joined[ns.Path].ID))
	}
	if owner == nil {
		owner = o.process(f.Joined[ns.Path].Groups)
	}
	if owner == nil || o.together(owner) {
		return nil
	}
	return owner
}

// process is the container of a process, by its control groups.
func (o others) process(in []string) *decision.Record {
	for _, group := range in {
		for _, t := range groupsOf(group) {
			if owner := o.another(t.thing); owner != nil {
				return owner
			}
		}
	}
	return nil
}

// together reports whether the engine that asks is who says that the two belong
// together.
func (o others) together(owner *decision.Record) bool {
	w := owner.Decision.Workload
	if w.Engine != o.who.Engine {
		return false
	}
	switch w.Engine {
	case workload.Docker, workload.Podman:
		return true
	case workload.CRI:
		return w.PodUID != "" && w.PodUID == o.who.PodUID || w.SandboxID != "" && (w.SandboxID == o.who.SandboxID || w.ID == o.who.SandboxID) || w.Sandbox && w.ID == o.who.SandboxID
	case workload.Ctr: // of one namespace of containerd's
		return filepath.Dir(owner.Decision.Bundle) == filepath.Dir(o.dir)
	}
	return false
}

// group is a control group that a record may own.
type group struct {
	path  string
	thing decision.Thing
}

// groups are the one that the spec asks for and all above it.
func groups(s *specs.Spec) []group {
	if s.Linux == nil || s.Linux.CgroupsPath == "" {
		return nil
	}
	return groupsOf(groupPath(s.Linux.CgroupsPath))
}

func groupsOf(p string) []group {
	var all []group
	for p = path.Clean("/" + p); p != "/"; p = path.Dir(p) {
		key := p
		if strings.HasSuffix(p, ".scope") { // under which slice makes no other of it
			key = path.Base(p)
		}
		all = append(all, group{p, decision.Group(key)})
	}
	return all
}

// groupPath is the path that the low-level runtime makes of linux.cgroupsPath:
// SLICE:PREFIX:NAME is systemd's PREFIX-NAME.scope (runc, docs/systemd.md).
func groupPath(cgroupsPath string) string {
	parts := strings.Split(cgroupsPath, ":")
	if len(parts) != 3 {
		return cgroupsPath
	}
	if strings.HasSuffix(parts[2], ".slice") {
		return parts[2]
	}
	return "/" + parts[0] + "/" + parts[1] + "-" + parts[2] + ".scope"
}

func namespaces(s *specs.Spec) []specs.LinuxNamespace {
	if s.Linux == nil {
		return nil
	}
	return s.Linux.Namespaces
}

// named is how a reader knows a container.
func named(rec *decision.Record) string {
	w := rec.Decision.Workload
	if w.Pod != "" {
		return fmt.Sprintf("container %s of pod %s/%s", short(w.ID), w.Namespace, w.Pod)
	}
	if w.Name != "" {
		return fmt.Sprintf("container %s (%s)", w.Name, short(rec.Decision.ID))
	}
	return "container " + short(rec.Decision.ID)
}
