package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
	"github.com/hatchdog/hatchdog/internal/why"
)

// learned are the flags that a command needs beyond those that it was given.
type learned struct {
	Flags []string `json:"flags"` // for what was denied
	// Maybe is what was looked for and is on the host: programs look in many places.
	Maybe []string `json:"maybe"`
	// Twice is what nobody should grant without a look, each with the reason.
	Twice []warned `json:"twice"`
	// Never is denied whatever the flags are.
	Never []string `json:"never"`
	Notes []string `json:"notes"`
}

type warned struct {
	Flag   string `json:"flag,omitempty"`
	What   string `json:"what"`
	Reason string `json:"reason"`
}

// learnedMost bounds each list.
const learnedMost = 20

// lesson collects, each flag once.
type lesson struct {
	box                 *sandbox.Box
	exists              func(path string) (there, dir bool) // on the host
	flags, maybe, never map[string]int
	twice               map[warned]int
}

// learn makes flags of what was denied and of what failed.
func learn(b *sandbox.Box, denied []lack, seen map[missed]int, exists func(string) (bool, bool)) learned {
	l := &lesson{b, exists, map[string]int{}, map[string]int{}, map[string]int{}, map[warned]int{}}
	for _, d := range denied {
		l.lack(d)
	}
	for m, n := range seen {
		l.missed(m, n)
	}
	out := learned{Flags: most(l.flags), Maybe: most(l.maybe), Never: most(l.never), Twice: []warned{}, Notes: []string{}}
	out.Maybe = slices.DeleteFunc(out.Maybe, func(f string) bool { return slices.Contains(out.Flags, strings.Replace(f, "--ro ", "--rw ", 1)) })
	for _, w := range slices.SortedFunc(maps.Keys(l.twice), func(a, b warned) int {
		return cmp.Or(cmp.Compare(l.twice[b], l.twice[a]), cmp.Compare(a.What, b.What))
	}) {
		if len(out.Twice) < learnedMost {
			out.Twice = append(out.Twice, w)
		}
	}
	return out
}

// most are the keys that were wanted most.
func most(all map[string]int) []string {
	keys := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Or(cmp.Compare(all[b], all[a]), cmp.Compare(a, b)) })
	return append([]string{}, keys[:min(len(keys), learnedMost)]...)
}

// lack is a destination or a limit.
func (l *lesson) lack(d lack) {
	switch {
	case d.Kind == lackMetadata:
		l.twice[warned{What: d.What, Reason: "a cloud gives its credentials out there"}]++
	case d.Kind == lackHost:
		l.twice[warned{d.Flag, d.What, "a private network: what listens there may trust who asks"}]++
	case d.Kind == lackName:
		if name, ok := strings.CutSuffix(strings.TrimPrefix(d.Flag, "--allow "), ":PORT"); ok {
			if _, err := allowedOne(name); err == nil {
				l.flags["--allow "+name] += int(d.Count)
			}
		}
	case d.Kind == lackNoWay, d.Flag == "":
	default:
		l.flags[d.Flag] += int(d.Count)
	}
}

// missed is a call that failed.
func (l *lesson) missed(m missed, n int) {
	switch {
	case m.filtered:
		if m.call != "" && m.errno != syscall.ENOSYS {
			l.never["the system call "+m.call] += n
		}
	case m.path == "" || strings.ContainsAny(m.path, "\n\x00"):
	case m.errno == syscall.EACCES && (m.use == why.Execute || strings.Contains(m.call, "access")) && l.runs(m.path):
		l.flags["--exec"] += n
	case m.use == why.Write && (m.errno == syscall.EROFS || m.errno == syscall.EACCES || m.errno == syscall.EPERM || m.errno == syscall.EBUSY):
		l.write(m.path, n)
	case m.errno == syscall.ENOENT || m.errno == syscall.EACCES:
		l.read(m.path, m.use, n)
	}
}

func (l *lesson) granted(path string) bool {
	return slices.ContainsFunc(l.box.Grants, func(g sandbox.Grant) bool { return sandbox.Below(g.Path, path) })
}

// runs reports a file that would run with --exec.
func (l *lesson) runs(path string) bool {
	there, dir := l.exists(path)
	return !l.box.Exec && l.granted(path) && there && !dir
}

// closed is why a path is hidden or kept, "" where it is neither.
func (l *lesson) closed(path string) (at, reason string) {
	for _, list := range [][]sandbox.Closed{l.box.Found.Hidden, l.box.Found.Kept} {
		for _, c := range list {
			if sandbox.Below(c.Path, path) {
				return c.Path, c.Reason
			}
		}
	}
	for at = path; at != "/" && at != "."; at = filepath.Dir(at) {
		if why := cmp.Or(sandbox.Hidden(at), sandbox.Runs(at)); why != "" {
			return at, why
		}
	}
	return "", ""
}

// write is a path that could not be written to: its directory is, as near to the
// grant as what is there.
func (l *lesson) write(path string, n int) {
	if at, reason := l.closed(path); reason != "" {
		l.twice[warned{"--rw " + at, "writes to " + at, reason}] += n
		return
	}
	for _, g := range l.box.Grants {
		if !sandbox.Below(g.Path, path) || g.Write {
			continue
		}
		first, below, _ := strings.Cut(strings.TrimPrefix(path, g.Path+"/"), "/")
		if _, dir := l.exists(filepath.Join(g.Path, first)); below != "" && dir {
			l.flags["--rw "+l.short(filepath.Join(g.Path, first))] += n
			return
		}
		l.flags["--rw "+l.short(g.Path)] += n
		return
	}
	if dir := filepath.Dir(path); !l.systems(dir) {
		if _, is := l.exists(dir); is {
			l.twice[warned{"--rw " + dir, "writes to " + path, "outside of what was granted"}] += n
		}
	}
}

// read is a path that was not found.
func (l *lesson) read(path string, use why.Use, n int) {
	if at, reason := l.closed(path); reason != "" {
		if there, _ := l.exists(at); there {
			l.twice[warned{"--ro " + at, "looks for " + path, reason}] += n
		}
		return
	}
	if l.systems(path) || l.granted(path) {
		return // the box has its own, or it is not there
	}
	if there, _ := l.exists(path); !there {
		return
	}
	if use == why.Write {
		l.write(path, n)
		return
	}
	l.maybe["--ro "+path] += n
}

// systems reports a path of which the box has its own.
func (l *lesson) systems(path string) bool {
	for _, dir := range slices.Concat([]string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/run", "/etc", "/var/lib", sandbox.Home}, l.box.System.Dirs) {
		if sandbox.Below(dir, path) && !l.granted(path) {
			return true
		}
	}
	return path == "/"
}

// short is a path as somebody would write it who stands in the directory.
func (l *lesson) short(path string) string {
	if rel, err := filepath.Rel(l.box.Cwd, path); err == nil && (rel == "." || !strings.HasPrefix(rel, "..")) {
		return rel
	}
	return path
}

// onHost looks at a path of the host. Nothing is followed.
func onHost(path string) (there, dir bool) {
	info, err := os.Lstat(path)
	return err == nil, err == nil && info.IsDir()
}

// print shows the command line that was learned.
func (d learned) print(w io.Writer, line []string, r *run.Request) {
	if len(d.Flags) == 0 {
		fmt.Fprintf(w, "hatchctl: %s was denied nothing that a flag grants\n", r.Box.ID)
	} else {
		words := append([]string{"hatchctl", "run"}, line...)
		for _, f := range d.Flags {
			name, value, has := strings.Cut(f, " ")
			if words = append(words, name); has {
				words = append(words, value)
			}
		}
		fmt.Fprintf(w, "hatchctl: learned; look at it, and try it again with --learn:\n  %s\n", quoted(append(append(words, "--"), r.Box.Args...)))
	}
	for _, m := range d.Maybe {
		fmt.Fprintf(w, "  it looked for what is on the host, and may do without: %s\n", harmless(quoted(strings.SplitN(m, " ", 2))))
	}
	for _, t := range d.Twice {
		fmt.Fprintf(w, "  ! %s: %s", harmless(t.What), t.Reason)
		if t.Flag != "" {
			fmt.Fprintf(w, " (only if you mean it: %s)", harmless(quoted(strings.SplitN(t.Flag, " ", 2))))
		}
		fmt.Fprintln(w)
	}
	for _, n := range d.Never {
		fmt.Fprintf(w, "  no flag grants: %s\n", harmless(n))
	}
	for _, n := range d.Notes {
		fmt.Fprintf(w, "  %s\n", harmless(n))
	}
}

// quoted writes words so that a shell reads them as they are.
func quoted(words []string) string {
	var all []string
	for _, word := range words {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@+,%") != "" {
			word = "'" + strings.ReplaceAll(plain.Line(word), "'", `'\''`) + "'"
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}
