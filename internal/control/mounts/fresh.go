package mounts

import (
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// fresh judges a mount that is not a bind mount.
func (c mounts) fresh(e *edit) {
	m := &e.mount
	if slices.ContainsFunc(m.Options, several) {
		c.several(e)
		return
	}
	switch m.Type {
	case "proc", "sysfs":
		if want := map[string]string{"proc": "/proc", "sysfs": "/sys"}[m.Type]; at(*m) != want {
			c.refuse(e, "", "a second "+m.Type+" is not covered by the masked and read-only paths",
				"mounts.masked", "mount it at "+want+" alone")
			return
		}
		quiet(e)
		if m.Type == "sysfs" {
			e.need("ro", "settings of the host's devices and kernel", "rw")
			return
		}
		c.proc(e)
	case "cgroup", "cgroup2":
		quiet(e)
		e.need("ro", "the container's own limits, and on version 1 the host's release_agent (CVE-2022-0492)", "rw")
	case "mqueue":
		quiet(e)
	case "devpts":
		e.need("nosuid", "nothing to run there", "suid")
		e.need("noexec", "nothing to run there", "exec")
	case "tmpfs":
		c.tmpfs(e)
	case "hugetlbfs":
		e.need("nosuid", "a setuid program there gains nothing", "suid")
		e.need("nodev", "device nodes come from the list of devices alone", "dev")
		c.written(e)
	default:
		c.refuse(e, ".type", "a file system of type "+strconv.Quote(m.Type)+" would be mounted by the host's root, with what its options name",
			"mounts.protect", "mount it on the host, and bind mount the directory")
	}
}

// several reports whether an option is more than one to the kernel, which splits them
// at commas that are not quoted, and lets the last of two that contradict count.
func several(option string) bool {
	quoted := false
	for _, c := range option {
		if c == '"' {
			quoted = !quoted
		}
		if c == ',' && !quoted {
			return true
		}
	}
	return quoted
}

func (c mounts) several(e *edit) {
	c.refuse(e, ".options", "one of them has a comma, and is several to the kernel", "mounts.protect", "give each by itself")
}

func quiet(e *edit) {
	const reason = "nothing there is a program or a device node of the container"
	e.need("nosuid", reason, "suid")
	e.need("noexec", reason, "exec")
	e.need("nodev", reason, "dev")
}

// proc sets what a process sees of others, and of what is not a process
// (proc(5)).
func (c mounts) proc(e *edit) {
	for _, o := range c.profile.Mounts.ProcOptions {
		if o == policy.ProcInvisible && slices.Contains(c.profile.Mounts.ProcOptions, policy.ProcPtraceable) {
			continue // which hides more
		}
		name, _, _ := strings.Cut(string(o), "=")
		var others []string
		for _, has := range e.mount.Options {
			if strings.HasPrefix(has, name+"=") && has != string(o) {
				others = append(others, has)
			}
		}
		e.need(string(o), "the profile's view of processes", others...)
	}
}

func (c mounts) tmpfs(e *edit) {
	e.need("nosuid", "a setuid program there gains nothing", "suid")
	if at(e.mount) == "/dev" {
		e.need("noexec", "nothing there is a program of the container", "exec")
		return // its own device nodes are there
	}
	e.need("nodev", "device nodes come from the list of devices alone", "dev")
	c.written(e)
	if !c.scratch(at(e.mount)) {
		return
	}
	for _, o := range c.profile.Mounts.TmpOptions {
		e.need(o, "the profile's options for temporary files", strings.TrimPrefix(o, "no"))
	}
}

// written sets the options of what the container writes, wherever it is: a file
// system in memory is a place for programs as a volume is.
func (c mounts) written(e *edit) {
	for _, o := range c.profile.Mounts.WritableOptions {
		e.need(string(o), "the profile's options for what the container writes", strings.TrimPrefix(string(o), "no"))
	}
}

// scratch knows the places of temporary files.
func (c mounts) scratch(dest string) bool {
	switch dest {
	case "/tmp", "/var/tmp", "/dev/shm":
		return true
	}
	return slices.Contains(c.profile.RootFS.Tmpfs, dest)
}

// rootfs makes the root file system read-only, with places to write.
func (c mounts) rootfs(s *specs.Spec) []control.Change {
	rules := c.profile.RootFS
	if !rules.ReadOnly || s.Root == nil {
		return nil
	}
	var changes []control.Change
	if !s.Root.Readonly {
		s.Root.Readonly = true
		changes = append(changes, control.Change{
			Field: "root.readonly", Before: "false", After: "true",
			Reason: "what takes the container over cannot change its programs",
		})
	}
	for _, dest := range rules.Tmpfs {
		if slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool { return at(m) == dest }) {
			continue
		}
		m := specs.Mount{Destination: dest, Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "tmpcopyup"}}
		for _, o := range c.profile.Mounts.TmpOptions {
			if !slices.Contains(m.Options, o) {
				m.Options = append(m.Options, o)
			}
		}
		if dest == "/tmp" || dest == "/var/tmp" {
			m.Options = append(m.Options, "mode=1777")
		}
		if rules.TmpfsSize > 0 {
			m.Options = append(m.Options, "size="+strconv.FormatInt(rules.TmpfsSize, 10))
		}
		s.Mounts = insert(s.Mounts, m)
		changes = append(changes, control.Change{
			Field: "mounts[" + dest + "]", After: "tmpfs",
			Reason: "a place to write, with a copy of the image's files, on a read-only root file system",
		})
	}
	return changes
}

// insert puts m before the mounts below its destination, so that it does not
// cover them.
func insert(all []specs.Mount, m specs.Mount) []specs.Mount {
	for i, o := range all {
		if strings.HasPrefix(at(o), m.Destination+"/") {
			return slices.Insert(all, i, m)
		}
	}
	return append(all, m)
}
