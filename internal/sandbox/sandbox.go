// Package sandbox says what a command in a box sees: it makes the spec and the
// policy of one run of `hatchctl run`.
//
// Guarantees: nothing of the host is in the spec but its programs and libraries,
// read-only, and what was granted by name; what hidden.go lists is masked in each
// granted directory as it was searched; what kept.go lists cannot be written to or
// moved away in a directory that can, also where it is not there yet; the
// environment is that of environ.go and what was named.
// Does not cover: secrets under names that the tables do not have, or that come to
// be while the command runs; what the command writes into files that the host runs
// later on purpose (a Makefile, a script); other names (hard links) of a kept file
// inside a kept directory.
// Requires: what hatchdog requires, which holds the spec to the policy.
// Spec fields touched: all; it makes them.
package sandbox

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Grant is a directory or a file of the host that the command sees, at the path
// that it has there.
type Grant struct {
	Path  string // absolute, without links
	From  string // where it is mounted from, if not from there: a copy
	Dir   bool
	Write bool
	// Implied is the working directory that nobody named.
	Implied bool
}

// Limits are those of one run. A zero is none, except for the sizes, which are the
// kernel's.
type Limits struct {
	Pids   int64
	Memory int64         // bytes; there is no swap beyond
	CPU    float64       // CPUs
	Time   time.Duration // of the wall's clock
	Output int64         // bytes of standard output and error together
	Tmp    int64         // bytes of each file system in memory
}

// Defaults are the limits of a run that names none: those of builtin/sandbox, and
// an hour, 64 MiB of output.
func Defaults() Limits {
	return Limits{Pids: 256, Memory: 512 << 20, CPU: 1, Time: time.Hour, Output: 64 << 20, Tmp: 64 << 20}
}

// Box is one run.
type Box struct {
	ID       string
	Args     []string // of the command
	Env      []string // NAME=VALUE
	Cwd      string
	UID, GID uint32
	Terminal bool
	Grants   []Grant
	Before   []Grant   // what the caller granted, where a repository narrowed it
	Found    Found     // in the grants
	Hide     []Pattern // what is hidden beyond the table
	Own      []string  // directories of hatchdog's own: never granted, hidden below a grant
	Limits   Limits
	Exec     bool     // programs in directories that can be written to may run
	Allow    []string // entries of egress
	Resolv   string   // the file that it has as /etc/resolv.conf, where names are allowed
	Init     string   // our own program on the host
	System   System
	// Alone is without root on the host: the command is the user who called, in a
	// user namespace below the one that we are the root of. UID and GID are 0 there
	// where that has no other id.
	Alone bool
	// Held are the controllers whose limits are held, where Alone.
	Held []string
	// Most are the limits of processes that who is Alone cannot raise.
	Most map[string]uint64
}

// System is where a host has its programs and libraries.
type System struct {
	Dirs         []string          // mounted read-only
	Links        map[string]string // "/bin" to "usr/bin", where it is merged
	Certificates []string          // directories of /etc that are mounted read-only
}

// Places in the box.
const (
	Home    = "/box"
	InitAt  = "/.hatchctl"
	Secrets = "/run/secrets"
)

// ErrGrant is a grant that cannot be given.
var ErrGrant = errors.New("it cannot be granted")

// below reports whether p is dir or lies below it.
func below(dir, p string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// Below reports whether p is dir or lies below it. Both are absolute and clean.
func Below(dir, p string) bool { return below(dir, p) }

// granted finds the innermost grant that p lies in.
func (b *Box) granted(p string) *Grant {
	var in *Grant
	for i := range b.Grants {
		if g := &b.Grants[i]; below(g.Path, p) && (in == nil || len(g.Path) > len(in.Path)) {
			in = g
		}
	}
	return in
}

// Host is where the host has what the command sees at p.
func (b *Box) Host(p string) string {
	g := b.granted(p)
	if g == nil || g.From == "" {
		return p
	}
	return g.From + strings.TrimPrefix(p, g.Path)
}

// Workdir is where the command starts: where it was called, if it sees that, or
// its home.
func (b *Box) Workdir() string {
	if b.granted(b.Cwd) != nil {
		return path.Clean(b.Cwd)
	}
	for _, d := range b.System.Dirs {
		if below(d, b.Cwd) {
			return path.Clean(b.Cwd)
		}
	}
	return Home
}

// Sees reports whether the command sees a directory of the host.
func (b *Box) Sees(dir string) bool {
	for _, d := range b.System.Dirs {
		if below(d, dir) {
			return true
		}
	}
	return b.granted(dir) != nil
}

// system are what a box has of its own: nothing of the host is granted there.
var system = []string{"/proc", "/dev", "/sys", InitAt, Home, Secrets}

// Grant adds a grant. The widest of two for one path counts.
func (b *Box) Grant(g Grant) error {
	for _, s := range system {
		if below(s, g.Path) || below(g.Path, s) && g.Path != "/" && s != Home {
			return fmt.Errorf("%w: the box has its own %s", ErrGrant, s)
		}
	}
	if g.Path == "/" || g.Path == "/home" && g.Dir {
		return fmt.Errorf("%w: name a directory below %s", ErrGrant, g.Path)
	}
	if strings.HasPrefix(g.Path, "/var/lib/hatchdog") {
		return fmt.Errorf("%w: hatchdog keeps its own state there", ErrGrant)
	}
	for _, own := range b.Own {
		if below(own, g.Path) || g.Write && below(g.Path, own) {
			return fmt.Errorf("%w: hatchdog keeps its own state in %s; name a directory without it", ErrGrant, own)
		}
	}
	if strings.ContainsAny(g.Path, "\n\x00") {
		return fmt.Errorf("%w: its name has a line break", ErrGrant)
	}
	for i := range b.Grants {
		if b.Grants[i].Path == g.Path {
			b.Grants[i].Write = b.Grants[i].Write || g.Write
			b.Grants[i].Implied = b.Grants[i].Implied && g.Implied
			return nil
		}
	}
	b.Grants = append(b.Grants, g)
	return nil
}
