// Package why says what stops a container from what it tries to do: hatchdog,
// another layer, or nothing that is known.
//
// Guarantees: it is pure. hatchdog is named only where the request had it and
// what the container was given has not, or where the container's own rules
// decide; another layer only where a fact of that layer says so. All else is
// undetermined, and says what was looked at.
// Does not cover: what a security module decides; what a program does itself.
// Requires: nothing.
// Spec fields touched: none.
package why

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Verdict is who stops it.
type Verdict string

// The verdicts.
const (
	Hatchdog     Verdict = "hatchdog"
	Other        Verdict = "another layer"
	Undetermined Verdict = "undetermined"
)

// The layers that are not hatchdog.
const (
	LayerRequest     = "the engine's request"
	LayerFilter      = "the engine's own filter"
	LayerReadOnly    = "read-only by request"
	LayerPermissions = "file permissions"
	LayerMissing     = "nothing lies there"
	LayerImage       = "the image"
	LayerFile        = "the file itself"
	LayerHost        = "the host's file system"
	LayerDisk        = "a full disk"
	LayerUser        = "the process's user"
	LayerProgram     = "the program itself"
	LayerNamespace   = "the user namespace of the request"
	LayerDNS         = "DNS"
	LayerPort        = "a closed port"
	LayerRoute       = "no way there"
	LayerLimit       = "a limit of the request"
	LayerModule      = "the security module"
)

// Finding is one answer.
type Finding struct {
	What    string  `json:"what"` // as in "write /etc/hosts"
	Verdict Verdict `json:"verdict"`
	Layer   string  `json:"layer,omitempty"` // of Other
	Why     string  `json:"why"`
	// Policy is the line that decides, of Hatchdog.
	Policy   string   `json:"policy,omitempty"`
	Evidence []string `json:"evidence,omitempty"`
	// Remedy is what would help, where it is no policy.
	Remedy string `json:"remedy,omitempty"`
	// Allow is the smallest policy that would allow it, tried; Gain is what an
	// attacker would have of it.
	Allow string `json:"allow,omitempty"`
	Gain  string `json:"gain,omitempty"`

	Grants []control.Grant `json:"-"`
	// Lifted reports whether a policy lifts it: by the changes that it leads to,
	// and by the profile that it gives. nil is not known.
	Lifted lift `json:"-"`
}

type lift func(changes []control.Attributed, p *policy.Profile) bool

func hatchdog(what, reason, policy string, grants ...control.Grant) Finding {
	return Finding{What: what, Verdict: Hatchdog, Why: reason, Policy: policy, Grants: grants}
}

func other(what, layer, reason string) Finding {
	return Finding{What: what, Verdict: Other, Layer: layer, Why: reason}
}

func undetermined(what, reason string, evidence ...string) Finding {
	return Finding{What: what, Verdict: Undetermined, Why: reason, Evidence: evidence}
}

func (f Finding) with(evidence ...string) Finding {
	f.Evidence = append(f.Evidence, evidence...)
	return f
}

func (f Finding) remedy(text string) Finding {
	f.Remedy = text
	return f
}

func (f Finding) lifts(l lift) Finding {
	f.Lifted = l
	return f
}

// unchanged: the change is not made any more.
func unchanged(field, after string) lift {
	return func(changes []control.Attributed, _ *policy.Profile) bool {
		return !slices.ContainsFunc(changes, func(c control.Attributed) bool { return c.Field == field && c.After == after })
	}
}

func inProfile(f func(*policy.Profile) bool) lift {
	return func(_ []control.Attributed, p *policy.Profile) bool { return f(p) }
}

func noUserNS(changes []control.Attributed, _ *policy.Profile) bool {
	return !slices.ContainsFunc(changes, func(c control.Attributed) bool { return c.Field == "linux.namespaces[user]" })
}

// Container is what is known of one.
type Container struct {
	Changes   []control.Attributed
	Profile   *policy.Profile // what it is held to; nil where that is gone
	Asked     *specs.Spec     // as the engine wrote it; nil where it is gone
	Given     *lowlevel.Given // nil where it is gone
	Process   *inside.Process // nil where it does not run
	User      *User           // another than the process's
	Prevent   []string        // what is denied it while it runs
	PreventBy policy.Holder   // and by what
	// Held is false in complain mode.
	Held bool
}

// User is who a question is asked for, by ids of the container.
type User struct{ UID, GID uint32 }

// change is the first change of a field.
func (c *Container) change(field string) *control.Attributed {
	for i := range c.Changes {
		if c.Held && c.Changes[i].Field == field {
			return &c.Changes[i]
		}
	}
	return nil
}

// added is the change that put a path on a list.
func (c *Container) added(list, at string) *control.Attributed {
	for i := range c.Changes {
		ch := &c.Changes[i]
		if c.Held && ch.Field == list && ch.Before == "" && path.Clean(ch.After) == path.Clean(at) {
			return ch
		}
	}
	return nil
}

func (c *Container) where(key string) string {
	if c.Profile == nil {
		return key
	}
	return c.Profile.Where(key)
}

// ownUserNS is true where hatchdog gave the container its user namespace.
func (c *Container) ownUserNS() bool { return c.change("linux.namespaces[user]") != nil }

func (c *Container) asksUserNS() bool {
	return c.Asked != nil && c.Asked.Linux != nil && slices.ContainsFunc(c.Asked.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace })
}

// inUserNS is true where the container is in one of its own, whoever gave it.
func (c *Container) inUserNS() bool {
	if c.Process != nil {
		return c.Process.OwnUserNS
	}
	return c.ownUserNS() || c.asksUserNS()
}

// askedMount is the last mount of the request at a destination.
func (c *Container) askedMount(at string) *specs.Mount {
	if c.Asked == nil {
		return nil
	}
	for i := len(c.Asked.Mounts) - 1; i >= 0; i-- {
		if path.Clean("/"+c.Asked.Mounts[i].Destination) == path.Clean(at) {
			return &c.Asked.Mounts[i]
		}
	}
	return nil
}

func below(at, dir string) bool {
	dir = path.Clean(dir)
	return at == dir || dir == "/" || strings.HasPrefix(at, dir+"/")
}
