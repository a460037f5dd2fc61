package learn

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// writer writes YAML of which nothing but comments is text of a container, and
// comments are quoted.
type writer struct{ b bytes.Buffer }

func (w *writer) line(indent int, format string, args ...any) {
	w.b.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&w.b, format, args...)
	w.b.WriteByte('\n')
}

// quoted is text of a container: one line of ASCII, whatever it holds.
func quoted(s string) string {
	const most = 200
	text := strconv.QuoteToASCII(s)
	if len(text) > most {
		text = text[:most] + `..."`
	}
	return text
}

// evidence says when, how often and by which program.
func (s Seen) evidence() string {
	if s.Count == 0 {
		return "not seen"
	}
	by := quoted(s.By[0])
	if s.By[1] != s.By[0] {
		by += " first and " + quoted(s.By[1]) + " last"
	}
	return fmt.Sprintf("%d times, %s to %s, by %s", s.Count, stamp(s.First), stamp(s.Last), by)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// values writes a list, a line with its evidence for each value. Each value was
// checked to be of the policy language: it is quoted all the same.
func (w *writer) values(indent int, key string, lines []Line, value func(string) string) {
	if len(lines) == 0 {
		w.line(indent, "%s: []", key)
		return
	}
	w.line(indent, "%s:", key)
	for _, l := range lines {
		w.line(indent+1, "- %s # %s", value(l.Value), l.about())
	}
}

func (l Line) about() string {
	if l.Note == "" {
		return l.Seen.evidence()
	}
	if l.Seen.Count == 0 {
		return quoted(l.Note)
	}
	return l.Seen.evidence() + "; " + quoted(l.Note)
}

// Policy writes the profile in the policy language.
func (p *Profile) Policy() ([]byte, error) {
	w := &writer{}
	d := p.From
	w.line(0, "# Learned from %d runs, %s to %s.", d.Runs, stamp(d.First), stamp(d.Last))
	w.line(0, "# It holds a container to what was seen, within builtin/%s. A rule names whom it is for:", base)
	w.line(0, "# rules: [{match: {name: NAME}, profile: %s}]", p.Name)
	for _, n := range d.Notes {
		w.line(0, "# not seen: %s", quoted(n))
	}
	if d.Lost > 0 {
		w.line(0, "# NOT WHOLE: %d things found no room, so the root and the volumes stay as they are.", d.Lost)
	}
	p.review(w)
	w.line(0, "version: 1")
	w.line(0, "profiles:")
	w.line(1, "%s:", p.Name)
	w.line(2, "extends: builtin/%s", base)
	w.line(2, "capabilities:")
	w.values(3, "max", p.Capabilities, strconv.Quote)
	p.writeSeccomp(w)
	p.writeFiles(w)
	p.writeLimits(w)
	p.writeNetwork(w)
	for _, l := range p.Devices {
		w.line(2, "# used the device %s: %s; the request gives it, and devices.allow admits it", quoted(l.Value), l.about())
	}
	for _, name := range sorted(d.Programs) {
		w.line(2, "# executed %s: %s", quoted(name), d.Programs[name].evidence())
	}
	return w.b.Bytes(), p.check(w.b.Bytes())
}

func (p *Profile) review(w *writer) {
	if len(p.Review) == 0 {
		return
	}
	w.line(0, "# Not granted: review. builtin/%s does not have these. An attacker in the container may have", base)
	w.line(0, "# done them to have them learned. 'hatchctl learn show --grant' grants one by name.")
	for _, l := range p.Review {
		w.line(0, "#   %s: %s", quoted(l.Value), l.about())
	}
}

func (p *Profile) writeSeccomp(w *writer) {
	w.line(2, "seccomp:")
	w.line(3, "table: %s", p.Table)
	for _, l := range p.Calls {
		w.line(3, "# %s: %s", quoted(l.Value), l.about())
	}
	for _, l := range p.Margin {
		w.line(3, "# %s: %s", quoted(l.Value), l.about())
	}
	if len(p.Allow) > 0 {
		w.values(3, "allow", p.Allow, strconv.Quote)
	}
	w.line(3, "# The table admits these, and nobody called them.")
	w.line(3, "deny: [%s]", strings.Join(p.Deny, ", "))
}

func (p *Profile) writeFiles(w *writer) {
	for _, l := range p.Root {
		w.line(2, "# the root stays writable: %s was written, %s", placeOf(l.Value), l.about())
	}
	for _, name := range sorted(p.From.Volumes) {
		w.line(2, "# written in the mount %s: %s", quoted(name), p.From.Volumes[name].evidence())
	}
	if p.ReadOnly {
		w.line(2, "rootfs: # all that was written lies in these, or in volumes")
		w.line(3, "readOnly: true")
		w.values(3, "tmpfs", p.Tmpfs, strconv.Quote)
	}
	if len(p.Closed) > 0 {
		w.line(2, "mounts:")
		w.line(3, "readOnlyAt: # nobody wrote there")
		w.line(4, "- inherited")
		for _, at := range p.Closed {
			w.line(4, "- %s", strconv.Quote(at))
		}
	}
}

// placeOf is a directory of the root, quoted.
func placeOf(dir string) string {
	if dir == "" {
		return "a place that is not known"
	}
	return quoted(dir)
}

func (p *Profile) writeLimits(w *writer) {
	d := p.From
	if p.Pids > 0 {
		w.line(2, "pids: {max: %d} # %d at once were seen; margin: twice as many and 16", p.Pids, d.Pids)
	}
	if p.Memory > 0 {
		w.line(2, "memory: {max: %d} # %d bytes at once were seen; margin: half as much again and 64 MiB", p.Memory, d.Memory)
	}
	if p.Files > 0 {
		w.line(2, "privilege:")
		w.line(3, "rlimits:")
		w.line(4, "RLIMIT_NOFILE: {max: %d, force: true} # %d was the most; margin: twice as many, 1024 at least", p.Files, d.Files)
	}
}

func (p *Profile) writeNetwork(w *writer) {
	if p.From.CallsOnly {
		w.line(2, "# the root, the mounts and the network stay as builtin/%s has them: nothing was seen of their use", base)
		return
	}
	if !p.Network {
		w.line(2, "# it shares the host's network, where hatchdog has no rules")
		return
	}
	w.line(2, "egress:")
	w.line(3, "default: deny")
	w.values(3, "allow", p.Egress, func(entry string) string {
		if name, private := strings.CutSuffix(entry, egress.PrivateWord); private {
			return fmt.Sprintf("{name: %s, private: true}", strconv.Quote(name))
		}
		return strconv.Quote(entry)
	})
	w.line(2, "ingress:")
	w.line(3, "default: deny")
	w.values(3, "allow", p.Ingress, strconv.Quote)
}
