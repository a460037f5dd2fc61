// Package seccomp holds the system calls of a container to the profile's table.
//
// Guarantees: the filter that is written allows a call only if the spec's own
// filter and the table of the profile, resolved for the capabilities that the
// container ends up with, both do; a spec without a filter gets one. Where the
// two filters cannot be combined exactly the call is denied, and the record
// names it. A filter with an action, operator, architecture or flag that is not
// known is an error.
// A supervisor (SCMP_ACT_NOTIFY) is one that the policy lists.
// Does not cover: what a call that is allowed can do; arguments behind a pointer;
// the work of a supervisor, which stays where the table admits the call with any
// arguments.
// Requires: that capabilities are settled before.
// Spec fields touched: linux.seccomp.
package seccomp

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
	filters "github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

const field = "linux.seccomp"

type table struct {
	rules policy.SeccompRules
	where func(key string) string // the line of the policy
}

// New makes the control of the profile.
func New(p *policy.Profile) control.Control { return table{p.Seccomp, p.Where} }

func (table) Name() string { return policy.Seccomp }

func (t table) Apply(s *specs.Spec) ([]control.Change, error) {
	changes, err := t.intersect(s)
	if err != nil {
		return changes, err
	}
	return changes, t.listener(s)
}

// maxMetadata is how much text of the request the low-level runtime may send to
// a supervisor, in bytes.
const maxMetadata = 4 << 10

// listener refuses a supervisor that the policy does not list: the low-level
// runtime connects to its socket as the host's root, and sends a text of the
// request's.
func (t table) listener(s *specs.Spec) error {
	if s.Linux == nil || s.Linux.Seccomp == nil {
		return nil
	}
	l := s.Linux.Seccomp
	switch {
	case l.ListenerPath == "" && l.ListenerMetadata == "":
		return nil
	case !slices.Contains(t.rules.Listeners, l.ListenerPath):
		r := &control.Refusal{
			Control: policy.Seccomp, Field: field + ".listenerPath",
			Reason: "the host's root would connect to the socket and send what the request says", Policy: t.where("seccomp"),
			Remedy: "leave listenerPath and listenerMetadata out",
		}
		if l.ListenerPath == "" {
			return r
		}
		return r.Granting(control.Add("seccomp.listeners", control.Quoted(l.ListenerPath)))
	case len(l.ListenerMetadata) > maxMetadata:
		return &control.Refusal{
			Control: policy.Seccomp, Field: field + ".listenerMetadata", Reason: fmt.Sprintf("it has more than %d bytes", maxMetadata),
			Policy: t.where("seccomp"), Remedy: "shorten it",
		}
	}
	return nil
}

func (t table) intersect(s *specs.Spec) ([]control.Change, error) {
	if t.rules.Table == policy.TableNone {
		return nil, nil
	}
	grants, wish, err := t.resolve(s)
	if err != nil {
		return nil, err
	}
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	have := s.Linux.Seccomp
	var filter *filters.Filter
	if have != nil {
		if filter, err = filters.Parse(have); err != nil {
			return nil, err
		}
	}
	res := filters.Intersect(filter, grants, wish)
	if have == nil {
		s.Linux.Seccomp = res.Spec
		return []control.Change{{Field: field, After: summary(res.Spec), Reason: "without a filter every call reaches the kernel; " + t.named()}}, nil
	}
	res.Spec.ListenerPath, res.Spec.ListenerMetadata = have.ListenerPath, have.ListenerMetadata
	if !res.Notifies() {
		res.Spec.ListenerPath, res.Spec.ListenerMetadata = "", ""
	}
	changes := t.changes(have, res, grants)
	if len(changes) > 0 || !reflect.DeepEqual(have.Syscalls, res.Spec.Syscalls) {
		s.Linux.Seccomp = res.Spec
	}
	return changes, nil
}

// resolve is the profile's table for this container.
func (t table) resolve(s *specs.Spec) (*filters.Grants, filters.Wish, error) {
	w := filters.Wish{Allow: t.rules.Allow, Deny: t.rules.Deny, Log: t.rules.Log}
	for _, a := range t.rules.Architectures {
		w.Arches = append(w.Arches, specs.Arch(a))
	}
	if s.Process != nil && s.Process.Capabilities != nil {
		w.Capabilities = s.Process.Capabilities.Bounding
	}
	var err error
	if w.Native, err = filters.Native(runtime.GOARCH); err != nil {
		return nil, w, err
	}
	w.Arches = slices.DeleteFunc(w.Arches, func(a specs.Arch) bool { return a == w.Native })
	loaded, err := tables.Load(string(t.rules.Table))
	if err != nil {
		return nil, w, err
	}
	return loaded.Resolve(w), w, nil
}

func (t table) named() string { return "table " + string(t.rules.Table) + " of the profile applies" }

// changes is the evidence, by member of the filter.
func (t table) changes(have *specs.LinuxSeccomp, res *filters.Result, g *filters.Grants) []control.Change {
	after := res.Spec
	out := losses(res)
	add := func(member, before, now, reason string) {
		if before != now {
			out = append(out, control.Change{Field: field + "." + member, Before: before, After: now, Reason: reason})
		}
	}
	add("defaultAction", action(have.DefaultAction, have.DefaultErrnoRet), action(after.DefaultAction, after.DefaultErrnoRet),
		"programs take another way for a call that is not there, and give up over one that is forbidden")
	add("architectures", arches(have), arches(after), "calls of other architectures are a second way into the kernel that the profile does not admit")
	add("flags", fmt.Sprint(have.Flags), fmt.Sprint(after.Flags), "the profile has denials logged")
	add("listenerPath", have.ListenerPath, after.ListenerPath, "no call is left that the listener would be asked about")
	if len(res.Taken) > 0 {
		out = append(out, control.Change{
			Field: field + ".syscalls", Before: strings.Join(res.Taken, " "), After: "denied", Reason: t.named() + reasons(g, res.Taken),
		})
	}
	if len(res.Limited) > 0 {
		out = append(out, control.Change{
			Field: field + ".syscalls", Before: strings.Join(res.Limited, " "), After: "allowed for some arguments only", Reason: t.named(),
		})
	}
	if len(out) == 0 && !reflect.DeepEqual(have.Syscalls, after.Syscalls) {
		out = append(out, control.Change{
			Field: field + ".syscalls", Before: rules(have), After: rules(after), Reason: "the same calls in fewer rules, and the answers of the profile to those that are denied",
		})
	}
	return out
}

// losses is what the container does without although the engine and the profile
// allow it: first what its programs do not run without.
func losses(res *filters.Result) []control.Change {
	var out []control.Change
	if len(res.Missing) > 0 {
		out = append(out, control.Change{
			Field: field + ".syscalls", Before: list(res.Missing), After: "denied",
			Reason: "PROGRAMS DO NOT RUN WITHOUT THIS, and the engine's filter and the profile both allow it: the conditions of the engine's filter cannot be relied on",
		})
	}
	if len(res.Lost) > 0 {
		out = append(out, control.Change{
			Field: field + ".syscalls", Before: list(res.Lost), After: "denied",
			Reason: "the engine's filter and the profile both allow it, by conditions that libseccomp may compile to something else than they say",
		})
	}
	return out
}

func list[T fmt.Stringer](all []T) string {
	var texts []string
	for _, x := range all {
		texts = append(texts, x.String())
	}
	return strings.Join(texts, ", ")
}

// reasons says why the table denies, for the calls that it names.
func reasons(g *filters.Grants, calls []string) string {
	var order []string
	by := map[string][]string{}
	for _, c := range calls {
		why := g.Reason(c)
		if why == "" {
			continue
		}
		if by[why] == nil {
			order = append(order, why)
		}
		by[why] = append(by[why], c)
	}
	out := ""
	for _, why := range order {
		out += "; " + strings.Join(by[why], " ") + ": " + why
	}
	return out
}

func rules(s *specs.LinuxSeccomp) string {
	n := 0
	for _, r := range s.Syscalls {
		n += len(r.Names)
	}
	return fmt.Sprintf("%d rules", n)
}

func summary(s *specs.LinuxSeccomp) string {
	n := 0
	for _, r := range s.Syscalls {
		if r.Action == specs.ActAllow && len(r.Args) == 0 {
			n += len(r.Names)
		}
	}
	return fmt.Sprintf("%d calls allowed, others for some arguments or denied, %s by default", n, action(s.DefaultAction, s.DefaultErrnoRet))
}

func action(a specs.LinuxSeccompAction, ret *uint) string {
	switch {
	case ret == nil:
		return string(a)
	case *ret == 38:
		return string(a) + " (ENOSYS)"
	}
	return fmt.Sprintf("%s (%d)", a, *ret)
}

func arches(s *specs.LinuxSeccomp) string {
	if len(s.Architectures) == 0 {
		return "the host's"
	}
	var names []string
	for _, a := range s.Architectures {
		names = append(names, strings.TrimPrefix(string(a), "SCMP_ARCH_"))
	}
	return strings.Join(names, " ")
}
