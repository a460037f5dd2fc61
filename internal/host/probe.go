package host

import (
	"maps"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Request says what to look at.
type Request struct {
	Spec    *specs.Spec
	Profile *policy.Profile // whose protected paths count
	ID      string          // the container's
	Bundle  string          // absolute; what a relative source is relative to
	Runtime Runtime
	Record  string // the directory of the container's record
	Own     *Own   // of a dry run; nil is the program that runs
	// StateDir is where it is kept what this kernel can do, and where the
	// container's mounts will be made; "" keeps nothing.
	StateDir string
}

// Probe looks at this host once, as far as the spec needs it. The caller closes
// the sources. A path of the spec that cannot be examined is a fact with its
// error; an error is a host that cannot be told.
func Probe(r Request) (Facts, *Sources, error) {
	if real, err := filepath.EvalSymlinks(r.Bundle); err == nil {
		r.Bundle = real
	}
	f := Facts{ID: r.ID, Bundle: r.Bundle, MayMount: mayMount(), Euid: owner.User(), Limits: Limits(), Runtime: r.Runtime, HostNamespaces: map[string][]FileID{}, Joined: map[string]JoinedNamespace{}, Hooks: map[string]HookFile{}}
	var err error
	if f.Cgroup, err = probeCgroup("/", f.Euid); err != nil {
		return f, nil, err
	}
	f.Kernel = probeKernel()
	f.Apparmor = ProbeApparmor("/", apparmorNames(r)...)
	if r.Own != nil {
		f.Own = *r.Own
	} else {
		f.Own = own(r.Record)
	}
	s := newSources()
	s.namespaces(r.Spec, &f)
	for _, h := range allHooks(r.Spec.Hooks) {
		f.Hooks[h.Path] = s.hook(h.Path)
	}
	f.Nodes = nodes(r.Spec)
	f.Globs = globs(r.Profile)
	all, err := mounts()
	if err == nil {
		f.Sources, f.Root, err = s.probe(r, all)
	}
	if err != nil {
		s.Close()
		return f, nil, err
	}
	if r.Profile.UserNS.Wanted() {
		f.UserNS = s.userns(r, f.Sources, all)
	}
	return f, s, nil
}

// apparmorNames are the profiles that a decision on the spec is about.
func apparmorNames(r Request) []string {
	names := []string{r.Profile.Apparmor.Profile}
	if r.Spec.Process != nil {
		names = append(names, r.Spec.Process.ApparmorProfile)
	}
	return names
}

// allHooks are the hooks that run as programs of the host. The path of a
// startContainer hook is one in the container.
func allHooks(h *specs.Hooks) []specs.Hook {
	if h == nil {
		return nil
	}
	var all []specs.Hook
	for _, stage := range [][]specs.Hook{
		h.Prestart, //nolint:staticcheck // deprecated, but Docker uses it and runc runs it
		h.CreateRuntime, h.CreateContainer, h.Poststart, h.Poststop,
	} {
		all = append(all, stage...)
	}
	return all
}

// inBundle makes a source absolute as runc does, which joins the words behind
// the kernel's name of the bundle: a .. behind a link leads out of what the link
// leads to.
func inBundle(bundle, source string) string {
	if filepath.IsAbs(source) {
		return source
	}
	return filepath.Join(bundle, source)
}

// namespaces looks at those that the spec joins.
func (s *Sources) namespaces(spec *specs.Spec, f *Facts) {
	if spec.Linux == nil {
		return
	}
	for _, ns := range spec.Linux.Namespaces {
		if ns.Path == "" {
			continue
		}
		f.Joined[ns.Path] = s.joined(ns.Path)
		if ids := hostNamespace(string(ns.Type)); ids != nil {
			f.HostNamespaces[string(ns.Type)] = ids
		}
	}
	for path, j := range maps.Clone(f.Joined) {
		if j.Owner.Path == "" {
			continue
		}
		f.HostNamespaces["user"] = hostNamespace("user")
		if _, ok := f.Joined[j.Owner.Path]; !ok {
			f.Joined[j.Owner.Path] = s.joined(j.Owner.Path)
		}
		if f.Joined[j.Owner.Path].ID != j.Owner.ID { // the pid belongs to another by now
			j.Owner = UserNSOwner{}
			f.Joined[path] = j
		}
	}
}
