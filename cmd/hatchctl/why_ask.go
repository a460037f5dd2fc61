package main

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	"github.com/hatchdog/hatchdog/internal/why"
)

func callNames() []string { return seccomp.Calls() }

// ask tells what kind of target it is, by its form.
func (s *subject) ask(cmd *cobra.Command, target []string, w whyOptions) ([]why.Finding, error) {
	if len(target) == 0 {
		return s.askAll()
	}
	word := target[0]
	switch {
	case word == "":
		return nil, usageError(cmd, "the target is empty")
	case strings.HasPrefix(word, "/"):
		if len(target) > 1 {
			return nil, usageError(cmd, "unexpected argument %q", target[1])
		}
		return s.askPath(cmd, word, w)
	case slices.Contains(capabilityNames(), word), slices.Contains(capabilityNames(), "CAP_"+word):
		return s.one(s.c.Capability("CAP_" + strings.TrimPrefix(word, "CAP_")))
	case strings.HasPrefix(word, "CAP_"):
		return nil, usageError(cmd, "%s: no capability of this name is known", word)
	case slices.Contains(callNames(), word):
		return s.askCall(cmd, target)
	case len(target) > 1:
		return nil, usageError(cmd, "unexpected argument %q: only a system call has arguments", target[1])
	}
	return s.askHost(cmd, word, w)
}

func (s *subject) one(f why.Finding) ([]why.Finding, error) { return []why.Finding{f}, nil }

// native is the host's architecture, which hatchctl is built for.
func (s *subject) native() specs.Arch {
	native, _ := seccomp.Native(runtime.GOARCH)
	return native
}

func (s *subject) askCall(cmd *cobra.Command, target []string) ([]why.Finding, error) {
	call := why.Call{Name: target[0], Arch: s.native(), Exact: len(target) > 1}
	const most = 6
	if len(target) > most+1 {
		return nil, usageError(cmd, "a system call has %d arguments at most", most)
	}
	for i, a := range target[1:] {
		n, err := strconv.ParseUint(a, 0, 64)
		if err != nil {
			return nil, usageError(cmd, "argument %d: %q is no number", i, a)
		}
		call.Args = append(call.Args, n)
	}
	f, err := s.c.Call(call)
	if err != nil {
		return nil, err
	}
	if f.Verdict == why.Undetermined && len(target) == 1 {
		f = s.callLogged(f, target[0])
	}
	return s.one(f)
}

// askAll is what was stopped already, as far as it was kept: refusals, limits,
// packets.
func (s *subject) askAll() ([]why.Finding, error) {
	found := s.refused()
	var counted inside.Counted
	if s.c.Given != nil {
		counted = inside.ReadCounted(s.c.Given.Cgroups)
		if counted.Gone {
			s.notes = append(s.notes, "its control group is gone, and what the kernel counted with it")
		}
		found = append(found, s.c.Counted(counted)...)
	}
	if s.c.Process != nil {
		for _, f := range []*why.Finding{s.c.Processes(counted), s.c.OpenFiles()} {
			if f != nil {
				found = append(found, *f)
			}
		}
		found = append(found, s.fullDisk()...)
	}
	dropped, err := s.droppedPackets()
	found = append(found, dropped...)
	return append(found, s.logged()...), err
}

// refused are the refusals of a container that was not started.
func (s *subject) refused() []why.Finding {
	if s.d.Outcome != decision.Refused {
		return nil
	}
	var all []why.Finding
	for _, r := range s.d.Refusals {
		f := why.Finding{
			What: s.d.Door + ": " + r.Field, Verdict: why.Hatchdog, Why: r.Reason, Policy: r.Policy, Remedy: r.Remedy,
			Allow: explain.Admitting(s.d.Workload, s.d.Profile, s.d.Rule, s.d.Refusals), Gain: explain.Wise(r),
		}
		all = append(all, f)
	}
	if len(all) == 0 && s.d.Failure != "" {
		all = append(all, why.Finding{What: s.d.Door, Verdict: why.Hatchdog, Why: s.d.Failure})
	}
	return all
}

func (s *subject) fullDisk() []why.Finding {
	p, err := s.look("/")
	if err != nil {
		return nil
	}
	defer p.Close()
	if !p.NoSpace && !p.NoInodes {
		return nil
	}
	f := s.c.Path(p, why.Write)
	if f.Layer != why.LayerDisk {
		return nil
	}
	return []why.Finding{f}
}

func (s *subject) askPath(cmd *cobra.Command, name string, w whyOptions) ([]why.Finding, error) {
	uses := []why.Use{why.Read, why.Write}
	switch use := why.Use(w.use); use {
	case "":
	case why.Read, why.Write, why.Execute:
		uses = []why.Use{use}
	default:
		return nil, usageError(cmd, "--for %q: want read, write or execute", w.use)
	}
	if s.c.Process == nil {
		f := s.c.PathOfGone(name)
		return s.one(f)
	}
	p, err := s.look(name)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var first *why.Finding
	for _, use := range uses {
		f := s.c.Path(p, use)
		if use == why.Execute && f.Verdict == why.Undetermined && p.Err == nil {
			if started := s.c.Starts(p, s.started(p)); started != nil {
				f = *started
			}
		}
		if f.Verdict != why.Undetermined || first == nil {
			first = &f
		}
		if f.Verdict != why.Undetermined {
			break
		}
	}
	return s.one(s.pathLogged(*first, name))
}
