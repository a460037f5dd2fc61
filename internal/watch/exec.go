package watch

import (
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/probe"
)

// Magic numbers of file systems (include/uapi/linux/magic.h).
const (
	magicTmpfs   = 0x01021994
	magicOverlay = 0x794c7630
)

// memfdName is what the name of a file begins with that memfd_create made.
const memfdName = "memfd:"

// Exec judges a program that was executed.
func (c *Container) Exec(s probe.Sight, h Host) []Finding {
	var all []Finding
	if f, ok := c.outside(s, h); ok {
		f.Source = FromExec
		all = append(all, f)
	}
	if f, ok := c.drift(s); ok {
		all = append(all, f)
	}
	if s.UID != s.OldUID && s.File.Mode&unix.S_ISUID != 0 { // else it took another effective user before
		severity, more := Medium, ""
		if c.Given != nil && c.Given.NoNewPrivileges {
			severity, more = Critical, "; no_new_privs should have kept it from that"
		}
		all = append(all, found(Setuid, severity, FromExec, fmt.Sprintf("%s %d", s.Path, s.UID),
			fmt.Sprintf("%s runs as user %d of the host by its setuid bit, executed by user %d%s", word(s.Path), s.UID, s.OldUID, more)))
	}
	for i := range all {
		all[i].by = &s
	}
	return all
}

// Identify finds out who did it, which takes a while: for what is told.
func (f *Finding) Identify() {
	if f.Process == nil && f.by != nil {
		f.Process = who(f.by)
	}
}

func who(s *probe.Sight) *Process {
	p := &Process{Pid: s.Pid, UID: s.UID, Command: word(s.Command)}
	if s.ParentPid > 0 {
		p.Ancestry = append([]string{fmt.Sprintf("%s (%d)", word(s.ParentCommand), s.ParentPid)}, ancestry(s.ParentPid)...)
	}
	return p
}

// drift: the image does not hold the program.
func (c *Container) drift(s probe.Sight) (Finding, bool) {
	severity, where := c.origin(s.File)
	if where == "" && s.Script {
		severity, where = c.scriptOrigin(&s)
	}
	if where == "" {
		return Finding{}, false
	}
	name, subject := word(s.Path), fmt.Sprintf("%d %d %s", s.File.Dev, s.File.Ino, where)
	if path.Base(s.Path) != s.File.Name {
		name += " (" + word(s.File.Name) + ")"
	}
	if strings.HasPrefix(s.File.Name, memfdName) {
		subject = s.File.Name // each is another file
	}
	f := found(Drift, severity, FromExec, subject, fmt.Sprintf("%s was executed, which the image does not hold: %s", name, where))
	if strings.HasPrefix(s.File.Name, memfdName) {
		f.Technique = "T1620" // Reflective Code Loading
	}
	return f, true
}

// origin is where a program is from; "" is the image, or what the container cannot
// write.
func (c *Container) origin(f probe.File) (Severity, string) {
	changed := f.Changed.After(c.Began)
	switch m, known := c.Mounts[f.MountID]; {
	case strings.HasPrefix(f.Name, memfdName) && f.Magic == magicTmpfs:
		return High, "a file in memory alone (" + word(f.Name) + ")"
	case f.Links == 0 && f.Magic != magicOverlay:
		return High, "a file that was deleted"
	case f.MountID == c.RootMount || !known && f.Dev == c.Root.Dev:
		switch {
		case f.Upper:
			return High, "it is in the layer that the container writes to"
		case f.Magic != magicOverlay && changed:
			return High, "it was changed after the container began"
		case f.Links == 0:
			return High, "a file that was deleted"
		}
		return "", ""
	case !known:
		return High, "it is on a mount that the container made"
	case m.ReadOnly:
		return "", ""
	case f.Magic == magicTmpfs && changed:
		return High, "it is in the file system in memory at " + word(m.At)
	case changed:
		return High, "it is on the volume at " + word(m.At) + ", and was changed after the container began"
	default:
		return Medium, "it is on the volume at " + word(m.At)
	}
}

// outside: the process has something that is the host's.
func (c *Container) outside(s probe.Sight, h Host) (Finding, bool) {
	for kind, its := range map[string]uint32{"mnt": s.Mount, "user": s.User} {
		if its != 0 && its == h.Spaces[kind] && c.own(kind, h) {
			return escaped(kind+" namespace", word(s.Command)), true
		}
	}
	if s.RootDev == h.Root.Dev && s.RootIno == h.Root.Ino && c.Root.Dev != h.Root.Dev {
		return escaped("root directory", word(s.Command)), true
	}
	return Finding{}, false
}

func escaped(what, command string) Finding {
	return found(Escape, Critical, FromProc, what, fmt.Sprintf("%s has the host's %s, and its container has one of its own", command, what))
}

// Capability judges one that was used and that is not of the container's.
func (c *Container) Capability(s probe.Sight, h Host, name string) []Finding {
	if c.starting(s) {
		return nil
	}
	f := found(Capability, High, FromCap, name, fmt.Sprintf("%s used %s, which the container was not given", word(s.Command), name))
	if s.CapabilitySpc == h.Spaces["user"] && c.own("user", h) {
		f = found(Escape, Critical, FromCap, name, fmt.Sprintf("%s used %s over the host, and its container has a user namespace of its own", word(s.Command), name))
	}
	f.by = &s
	return []Finding{f}
}

// starting is true for a process that the low-level runtime is making: it has
// executed nothing yet, and its parent is the runtime, or gone. A process of the
// container can have a parent outside (CLONE_PARENT), which is never the runtime.
func (c *Container) starting(s probe.Sight) bool {
	if !s.Forked || s.ParentLevel != 0 {
		return false
	}
	exe, err := os.Stat(fmt.Sprintf("/proc/%d/exe", s.ParentPid))
	if err != nil {
		return true
	}
	runtime, err := os.Stat(c.Entry.Record.Decision.Runtime.Path)
	return err == nil && os.SameFile(exe, runtime)
}
