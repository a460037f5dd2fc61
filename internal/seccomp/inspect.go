package seccomp

import (
	"fmt"
	"maps"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Entry is what a filter makes of one call.
type Entry struct {
	Call  string
	Allow Set // surely allowed
	Log   bool
	Deny  Action // the answer to all else
	// Exact is false where the filter may allow more than Allow.
	Exact bool
}

// Survey is what a filter makes of each call that it or libseccomp knows,
// sorted by name.
func (f *Filter) Survey(native specs.Arch) []Entry {
	mux, narrow := traits(append([]specs.Arch{native}, f.Arches...))
	all := f.certain(mux, narrow)
	names := slices.AppendSeq(Calls(), maps.Keys(all))
	slices.Sort(names)
	var out []Entry
	for _, n := range slices.Compact(names) {
		e := Entry{Call: n, Deny: f.denial(), Exact: true}
		if v := all[n]; v != nil {
			e = Entry{n, v.allow, v.log, v.deny, len(v.doubted) == 0}
		} else if f.Default.Executes() {
			e.Allow, e.Log = Always(), f.Default.Kind == Log
		}
		out = append(out, e)
	}
	return out
}

// Doubts are what a reader should know of a filter before he relies on it: the
// rules that mean something else than they say.
func (f *Filter) Doubts(native specs.Arch) []string {
	var out []string
	known := Calls()
	for _, e := range f.Survey(native) {
		if !e.Exact {
			out = append(out, e.Call+": its rules contradict or overlap; libseccomp may compile them to something else, and hatchdog allows only what is certain")
		}
		if !slices.Contains(known, e.Call) {
			out = append(out, e.Call+": no call of this name is known; the rule does nothing where libseccomp does not know it either")
		}
	}
	if f.Default.Executes() {
		out = append(out, fmt.Sprintf("defaultAction %s: every call that no rule names is made, those of later kernels among them", f.Default))
	}
	return out
}
