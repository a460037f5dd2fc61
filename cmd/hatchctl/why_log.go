package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/door"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/why"
)

// membersMost is how many of a container's processes are asked about.
const membersMost = 4096

// eachDropped calls f with each event of the audit log that says what a
// container's network rules dropped, the oldest first.
func (o *options) eachDropped(f func(id, root string, noted []firewall.Noted)) error {
	path, err := o.auditPath()
	if err != nil {
		return err
	}
	return audit.Read(path, func(event []byte) error {
		var d door.Dropped
		if json.Unmarshal(event, &d) == nil && d.Event == "network" {
			f(d.ID, d.Root, d.Last)
		}
		return nil
	})
}

// denials are the kernel's records of this container: of its ids, where it has
// ids of its own, or of a process that it has now.
func (s *subject) denials() []inside.Denial {
	if s.entry == nil {
		return nil
	}
	all, since, err := inside.Denials()
	if err != nil {
		s.notes = append(s.notes, "what the kernel logged cannot be read: "+err.Error())
		return nil
	}
	switch {
	case !s.logsDenials():
		s.notes = append(s.notes, "the kernel logs no denied system call of this container: seccomp.log of its profile is off")
	case since.IsZero():
		s.notes = append(s.notes, "the kernel keeps no audit records: its log and "+inside.AuditLog+" have none (audit=1 has it keep them)")
	default:
		s.notes = append(s.notes, "the kernel's audit records go back to "+since.UTC().Format(time.RFC3339)+"; it keeps no more than a few each second")
	}
	return s.own(all)
}

// stampError is how far a record's time and that of a process's start may be apart.
const stampError = 50 * time.Millisecond

// own are those of this container, by its ids or its processes.
func (s *subject) own(all []inside.Denial) []inside.Denial {
	ids := s.entry.Record.IDs
	var members map[int]time.Time
	if s.c.Given != nil {
		members, _ = inside.Began(inside.Members(s.c.Given.Cgroups, membersMost)) // none is known
	}
	started := s.d.Time
	var own []inside.Denial
	for _, d := range all {
		ranged := ids.Size > 0 && d.UID >= ids.Base && d.UID-ids.Base < ids.Size
		began, member := members[d.Pid]
		member = member && !d.Time.Before(began.Add(-stampError)) // another may have had that pid before
		if d.Module == "selinux" {
			ranged, member = sameLabel(d.Profile, s.entry.Record.Labels.SELinux), false
		}
		if !d.Time.Before(started.Add(-time.Second)) && (ranged || ids.Size == 0 && member) {
			own = append(own, d)
		}
	}
	return own
}

// sameLabel: the label of a process is the container's, which has categories of its
// own (or of its pod). SELinux logs no user.
func sameLabel(process, container string) bool {
	return process == container && strings.Count(container, ":") > 3
}

func (s *subject) logsDenials() bool { return s.c.Profile != nil && s.c.Profile.Seccomp.Log }

// logged are the denials in the kernel's log, each call and path once.
func (s *subject) logged() []why.Finding {
	count := map[string]int{}
	var found []why.Finding
	const most = 16
	for _, d := range s.denials() {
		f := s.denied(d)
		key := f.What
		if count[key]++; count[key] == 1 && len(found) < most {
			found = append(found, f)
		}
	}
	for i := range found {
		found[i].Evidence = append(found[i].Evidence, fmt.Sprintf("the kernel logged it %d times", count[found[i].What]))
	}
	return found
}

func (s *subject) denied(d inside.Denial) why.Finding {
	seen := fmt.Sprintf("logged at %s, by %q", d.Time.UTC().Format(time.RFC3339), harmless(d.Command))
	if d.Module == "selinux" {
		return s.c.Labelled(d.Action, d.Class, harmless(d.Name), d.Profile, d.Target, seen+", with this container's label")
	}
	if d.Module == "apparmor" {
		return s.c.Module("AppArmor", d.Profile, d.Action, d.Name, s.entry.Record.Labels.Apparmor, seen)
	}
	if d.Foreign {
		return s.c.CallForeign(seen)
	}
	name := s.names[d.Call]
	if name == "" {
		return why.Finding{What: fmt.Sprintf("the call number %d", d.Call), Verdict: why.Undetermined, Why: "a filter denied it, and no call of that number is known", Evidence: []string{seen}}
	}
	f, err := s.c.Call(why.Call{Name: name, Arch: s.native()})
	if err != nil {
		return why.Finding{What: "the call " + name, Verdict: why.Undetermined, Why: err.Error(), Evidence: []string{seen}}
	}
	if f.Verdict == why.Undetermined { // some of its arguments are denied, and these were
		f = s.c.CallDenied(name, s.native())
	}
	f.Evidence = append(f.Evidence, seen)
	return f
}

// callLogged adds what the kernel logged of a call.
func (s *subject) callLogged(f why.Finding, name string) why.Finding {
	for _, d := range s.denials() {
		if d.Module == "seccomp" && !d.Foreign && s.names[d.Call] == name {
			return s.denied(d)
		}
	}
	return f
}

// pathLogged: what nothing else explains, a security module may have denied.
func (s *subject) pathLogged(f why.Finding, path string) why.Finding {
	if f.Verdict != why.Undetermined || s.c.Process == nil || s.c.Process.Label == "" || s.c.Process.Label == "unconfined" {
		return f
	}
	for _, d := range s.denials() {
		if d.Module == "apparmor" && d.Name == path || d.Module == "selinux" && (d.Name == path || d.Name == filepath.Base(path)) {
			return s.denied(d)
		}
	}
	if strings.Contains(s.c.Process.Label, "enforce") {
		f.Evidence = append(f.Evidence, "no denial of that path is in the kernel's log")
	}
	return f
}
