package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/why"
)

// event explains one call that failed.
func (s *subject) event(e probe.Event) why.Finding {
	name := s.names[e.Call]
	if name == "" {
		name = fmt.Sprintf("number %d", e.Call)
	}
	asIs := s.c.User
	defer func() { s.c.User = asIs }()
	if asIs == nil && e.UID != s.c.Process.UID {
		uid, ok := inside.Inside(s.c.Process.UIDs, e.UID)
		gid, _ := inside.Inside(s.c.Process.GIDs, e.GID)
		if ok {
			s.c.User = &why.User{UID: uid, GID: gid}
		}
	}
	f := s.cause(e, name)
	f.What = fmt.Sprintf("the call %s", name)
	if subject := subjectOf(e, name); subject != "" {
		f.What += " " + subject
	}
	f.What += ": " + unix.ErrnoName(syscall.Errno(e.Errno))
	return f
}

func (s *subject) cause(e probe.Event, name string) why.Finding {
	errno := syscall.Errno(e.Errno)
	switch {
	case !e.Entered:
		return s.filtered(e, name)
	case errno == syscall.EPERM && e.Capability >= 0 && e.Capability < len(capabilityNames()):
		refused := capabilityNames()[e.Capability]
		f := s.c.Capability(refused)
		f.Why = "the kernel requires " + refused + ": " + f.Why
		return f
	case errno == syscall.EMFILE:
		return s.c.Rlimit("RLIMIT_NOFILE", name)
	case errno == syscall.EAGAIN:
		return s.crowded()
	case name == "connect" && e.Address.IsValid() && s.net >= 0:
		return s.connected(e, errno)
	case name == "bind" && s.net >= 0 && e.Address.IsValid() && (errno == syscall.EACCES || errno == syscall.EADDRINUSE):
		first, err := inside.PrivilegedPorts(s.net)
		if err == nil {
			return s.c.Bind(e.Address.Port(), egress.TCP, inside.Listening(s.net, egress.TCP), first)
		}
	}
	path, use := pathOf(e, name)
	ofPaths := []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, syscall.ENOSPC, syscall.ENOEXEC}
	if strings.HasPrefix(path, "/") && slices.Contains(ofPaths, errno) {
		if changesParent(name) {
			path = filepath.Dir(path)
		}
		if f := s.pathFailed(path, use); explains(f, errno) {
			return f
		}
	}
	return why.Finding{Verdict: why.Undetermined, Why: "no filter stopped it: the kernel answered " + errno.Error()}
}

// explains reports whether a finding leads to an error: what stands in the way of
// a path may not be what a call failed for.
func explains(f why.Finding, errno syscall.Errno) bool {
	readOnly := strings.Contains(f.Policy, "eadOnly") || f.Layer == why.LayerReadOnly || f.Layer == why.LayerHost || strings.Contains(f.Why, "read-only")
	missing := f.Layer == why.LayerMissing || strings.Contains(f.Why, "was taken out") || strings.Contains(f.Why, "is hidden")
	switch errno {
	case syscall.EROFS:
		return readOnly
	case syscall.ENOENT:
		return missing || f.Layer == why.LayerImage
	case syscall.ENOSPC:
		return f.Layer == why.LayerDisk
	case syscall.ENOTDIR, syscall.ELOOP:
		return f.Layer == why.LayerFile
	case syscall.ENOEXEC:
		return f.Layer == why.LayerFile || f.Layer == why.LayerImage
	}
	return !readOnly && f.Layer != why.LayerMissing && f.Layer != why.LayerDisk // EACCES, EPERM
}

// filtered: the call did not reach the kernel.
func (s *subject) filtered(e probe.Event, name string) why.Finding {
	f, err := s.c.Call(why.Call{Name: name, Args: e.Args[:], Arch: s.native(), Exact: true})
	switch {
	case err != nil:
		return why.Finding{Verdict: why.Undetermined, Why: err.Error()}
	case f.Verdict == why.Undetermined:
		f.Why = "it did not reach the kernel, and the container's filter lets it through: a filter that the program gave itself stopped it, or it began before it was watched"
	}
	return f
}

// crowded: no process could be made.
func (s *subject) crowded() why.Finding {
	if s.c.Given != nil {
		counted := inside.ReadCounted(s.c.Given.Cgroups)
		for _, f := range s.c.Counted(counted) {
			if strings.Contains(f.What, "process") {
				return f
			}
		}
		if f := s.c.Processes(counted); f != nil {
			return *f
		}
	}
	return why.Finding{Verdict: why.Undetermined, Why: "a limit of processes stopped it, and none of the container's own was reached, as far as the kernel counted"}
}

func (s *subject) connected(e probe.Event, errno syscall.Errno) why.Finding {
	r := why.Reach{Packet: egress.Packet{Proto: egress.TCP, Addr: e.Address.Addr(), Port: e.Address.Port()}, Ruled: s.ruled(), Tried: true, TryErr: errno}
	switch errno {
	case syscall.ECONNREFUSED:
		r.TryErr = inside.ErrRefused
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH:
		r.TryErr = inside.ErrUnreachable
	case syscall.ETIMEDOUT:
		r.TryErr = inside.ErrSilent
	}
	judged := r.Ruled && errno != syscall.ENETUNREACH
	if judged && errno == syscall.ECONNREFUSED { // by the other end, or by the rules, which reset what they drop
		if noted, err := s.noted(); err == nil {
			r.Dropped, r.Ago = droppedTo(noted, r.Packet)
		}
		judged = r.Dropped > 0
	}
	if facts, err := firewall.Resolve(s.net, ""); err == nil && judged {
		r.Facts = facts
		if d, err := egress.Decide(r.Packet, s.c.Profile.EgressPolicies(), facts); err == nil {
			r.Decision = d
		}
	}
	return s.c.Reach(r)
}

func (s *subject) pathFailed(path string, use why.Use) why.Finding {
	p, err := s.look(path)
	if err != nil {
		return why.Finding{Verdict: why.Undetermined, Why: err.Error()}
	}
	defer p.Close()
	f := s.c.Path(p, use)
	if use == why.Execute && f.Verdict == why.Undetermined && p.Err == nil {
		if started := s.c.Starts(p, s.started(p)); started != nil {
			return *started
		}
	}
	return f
}

// changesParent is true for calls that write to the directory of their path.
func changesParent(name string) bool {
	return slices.Contains([]string{"mkdir", "rmdir", "unlink", "mknod", "mkdirat", "unlinkat", "mknodat", "symlink"}, name)
}

// subjectOf is what a call was about.
func subjectOf(e probe.Event, name string) string {
	if name == "connect" || name == "bind" {
		if e.Address.IsValid() {
			return e.Address.String()
		}
		return ""
	}
	path, _ := pathOf(e, name)
	return path
}

// pathOf is the path that a call has among its arguments, and what it wants of
// it; "" for calls without one.
func pathOf(e probe.Event, name string) (string, why.Use) {
	const accessMode, creates = 3, 0x40 // O_ACCMODE, O_CREAT
	opens := func(flags uint64) why.Use {
		if flags&(accessMode|creates) != 0 {
			return why.Write
		}
		return why.Read
	}
	switch name {
	case "open":
		return e.First, opens(e.Args[1])
	case "openat":
		return e.Second, opens(e.Args[2])
	case "openat2", "newfstatat", "statx", "readlinkat", "faccessat", "faccessat2", "name_to_handle_at", "inotify_add_watch":
		return e.Second, why.Read
	case "stat", "lstat", "access", "readlink", "chdir", "statfs", "getxattr", "lgetxattr":
		return e.First, why.Read
	case "creat", "mkdir", "rmdir", "unlink", "truncate", "mknod", "chmod", "chown", "lchown", "utimes":
		return e.First, why.Write
	case "mkdirat", "unlinkat", "mknodat", "fchmodat", "fchownat", "utimensat", "symlink":
		return e.Second, why.Write
	case "execve":
		return e.First, why.Execute
	case "execveat":
		return e.Second, why.Execute
	}
	return "", why.Read
}
