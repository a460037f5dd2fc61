package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/why"
)

var errNotRunning = errors.New("it does not run")

// watch explains what fails from now on.
func (s *subject) watch(cmd *cobra.Command, w whyOptions) ([]why.Finding, error) {
	if s.c.Process == nil {
		return nil, errNotRunning
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if w.during > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.during)
		defer cancel()
	}
	p, err := probe.Start(s.init.Pid, s.c.Process.PidLevel)
	if err != nil {
		s.notes = append(s.notes, "system calls are not watched: "+err.Error())
		return s.listen(ctx, cmd, w)
	}
	defer func() { _ = p.Close() }()
	if !p.Capabilities {
		s.notes = append(s.notes, "this kernel does not tell which capability it refused (no tracepoint cap_capable)")
	}
	seen := &sightings{names: s.names, all: map[string]*sighting{}}
	ended := s.during(ctx, cmd, w)
	for done := false; !done; {
		select {
		case <-ended:
			p.Detach()
			done = true
		default:
		}
		const step = 50 * time.Millisecond
		for until := time.Now().Add(step); ; {
			e, ok, err := p.Read(until)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			seen.add(e)
		}
	}
	if n := p.Lost(); n > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%d calls failed too fast to be told", n))
	}
	if seen.dropped > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%d failures of more kinds than are kept are not told", seen.dropped))
	}
	return s.sighted(seen), nil
}

// during is closed when there is no more to watch: the command has ended, or who
// watches has.
func (s *subject) during(ctx context.Context, cmd *cobra.Command, w whyOptions) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if len(w.command) == 0 {
			<-ctx.Done()
			return
		}
		c := exec.CommandContext(ctx, w.command[0], w.command[1:]...) //nolint:gosec // it is what the operator asks for
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
		if w.asJSON {
			c.Stdout = os.Stderr // the answer is alone on ours
		}
		if err := c.Run(); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "hatchctl: %s: %v\n", w.command[0], err)
		}
	}()
	return ended
}

// listen is for hosts without BPF: denials of filters and of AppArmor alone.
func (s *subject) listen(ctx context.Context, cmd *cobra.Command, w whyOptions) ([]why.Finding, error) {
	if !s.logsDenials() {
		s.notes = append(s.notes, "the kernel's audit tells no denied system call of this container: seccomp.log of its profile is off")
	} else {
		s.notes = append(s.notes, "the kernel's audit is listened to instead: it tells what filters and AppArmor deny, and nothing else")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []inside.Denial
	err := inside.Listen(ctx, func() {
		ended := s.during(ctx, cmd, w)
		go func() {
			<-ended
			time.Sleep(audited)
			cancel()
		}()
	}, func(d inside.Denial) { all = append(all, d) })
	var found []why.Finding
	for _, d := range s.own(all) {
		f := s.denied(d)
		if !slices.ContainsFunc(found, func(o why.Finding) bool { return o.What == f.What }) {
			found = append(found, f)
		}
	}
	return found, err
}

// audited is how long the kernel may take to tell of what it denied.
const audited = 300 * time.Millisecond

// sighting is one way to fail, and how often it was seen.
type sighting struct {
	probe.Event
	count int
}

type sightings struct {
	names   map[int]string
	all     map[string]*sighting
	dropped int
}

// kindsMost is how many ways to fail are kept.
const kindsMost = 4096

// add counts an event with those that are like it. It leaves out an event that is
// no failure to a program, or that is the low-level runtime's own start of a
// process.
func (s *sightings) add(e probe.Event) {
	name := s.names[e.Call]
	if strings.HasPrefix(e.Command, "runc:[") || ordinary(e, name) {
		return
	}
	key := fmt.Sprintln(e.Call, e.Errno, e.Entered, e.Capability, e.UID, subjectOf(e, name))
	switch have := s.all[key]; {
	case have != nil:
		have.count++
		have.Event = e
	case len(s.all) < kindsMost:
		s.all[key] = &sighting{e, 1}
	default:
		s.dropped++
	}
}

// ordinary are errors that programs live by.
func ordinary(e probe.Event, name string) bool {
	const restart = 512 // ERESTARTSYS and its like never reach a program
	switch errno := syscall.Errno(e.Errno); errno {
	case syscall.EAGAIN:
		return !strings.HasPrefix(name, "clone") && !strings.HasSuffix(name, "fork")
	case syscall.EINTR, syscall.EINPROGRESS, syscall.ECHILD, syscall.ENOTTY, syscall.ETIMEDOUT, syscall.ESRCH, syscall.ESPIPE:
		return e.Entered && name != "connect"
	}
	return e.Errno >= restart
}

// sighted explains each way to fail, hatchdog's first.
func (s *subject) sighted(seen *sightings) []why.Finding {
	keys := slices.Collect(maps.Keys(seen.all))
	absent := func(k string) bool { return syscall.Errno(seen.all[k].Errno) == syscall.ENOENT } // programs search
	slices.SortFunc(keys, func(a, b string) int {
		switch {
		case absent(a) == absent(b):
			return cmp.Compare(a, b)
		case absent(a):
			return 1
		}
		return -1
	})
	const most = 40
	if len(keys) > most {
		s.notes = append(s.notes, fmt.Sprintf("%d ways to fail were seen; %d are told, and those with ENOENT last", len(keys), most))
		keys = keys[:most]
	}
	var found []why.Finding
	for _, k := range keys {
		one := seen.all[k]
		f := s.event(one.Event)
		f.Evidence = append(f.Evidence, fmt.Sprintf("seen %d times, the last by %q (process %d, user %d of the host)", one.count, harmless(one.Command), one.Pid, one.UID))
		found = append(found, f)
	}
	order := []why.Verdict{why.Hatchdog, why.Other, why.Undetermined}
	slices.SortStableFunc(found, func(a, b why.Finding) int {
		return cmp.Compare(slices.Index(order, a.Verdict), slices.Index(order, b.Verdict))
	})
	return found
}
