package watch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/probe"
)

// callNames are the calls that are told where they succeed.
func callNames() map[int]string {
	return map[int]string{
		probe.CallClone: "clone", probe.CallClone3: "clone3", probe.CallUnshare: "unshare", probe.CallSetns: "setns",
		probe.CallMount: "mount", probe.CallUmount: "umount2", probe.CallMoveMount: "move_mount", probe.CallFsmount: "fsmount",
		probe.CallOpenTree: "open_tree", probe.CallMountSetattr: "mount_setattr", probe.CallPivotRoot: "pivot_root",
		probe.CallBPF: "bpf", probe.CallInitModule: "init_module", probe.CallFinitModule: "finit_module", probe.CallDeleteModule: "delete_module",
		probe.CallKexec: "kexec_load", probe.CallKexecFile: "kexec_file_load", probe.CallOpenByHandle: "open_by_handle_at",
	}
}

// Arguments of ptrace (ptrace.h) that begin to trace.
const (
	ptraceAttach = 16
	ptraceSeize  = 0x4206
)

// Call judges a call. same tells whether two processes are of one container, where
// several share a pid namespace; else it is nil.
func (c *Container) Call(s probe.Sight, h Host, same func(caller, inner int) bool) []Finding {
	var all []Finding
	add := func(f Finding, ok bool) {
		if ok {
			f.by = &s
			all = append(all, f)
		}
	}
	switch s.Call {
	case probe.CallOpen, probe.CallOpenat, probe.CallOpenat2, probe.CallCreat:
		add(c.written(s))
	case probe.CallConnect:
		add(c.socket(s))
	case probe.CallPtrace, probe.CallVMRead, probe.CallVMWrite:
		add(c.traced(s, same))
	default:
		if c.starting(s) {
			return nil
		}
		f, ok := c.outside(s, h)
		f.Source = FromCalls
		add(f, ok)
		add(c.called(s))
	}
	return all
}

func (c *Container) called(s probe.Sight) (Finding, bool) {
	name := callNames()[s.Call]
	if name == "" {
		return Finding{}, false
	}
	severity, what, technique := High, name, ""
	switch s.Call {
	case probe.CallClone, probe.CallUnshare, probe.CallClone3, probe.CallSetns:
		severity, what = Medium, name+" of namespaces"
	case probe.CallMount, probe.CallUmount:
		what = name + " of " + word(s.Path)
	case probe.CallInitModule, probe.CallFinitModule, probe.CallDeleteModule, probe.CallKexec, probe.CallKexecFile:
		severity, technique = Critical, "T1547.006" // Kernel Modules and Extensions
	}
	f := found(Calls, severity, FromCalls, what, fmt.Sprintf("%s succeeded, called by %s", what, word(s.Command)))
	if technique != "" {
		f.Technique = technique
	}
	return f, true
}

// hostFiles are names of files of the kernel that rule the whole host, with the
// directory that they are in; "" is any.
func hostFiles() map[string]string {
	return map[string]string{
		"core_pattern": "kernel", "modprobe": "kernel", "hotplug": "kernel", "sysrq": "kernel", "poweroff_cmd": "kernel", "kexec_load_disabled": "kernel",
		"modules_disabled": "kernel", "randomize_va_space": "kernel", "usermodehelper": "", "uevent_helper": "", "release_agent": "", "sysrq-trigger": "",
		"kcore": "", "kmem": "", "register": "binfmt_misc", "devices.allow": "", "bind": "", "unbind": "", "new_id": "", "state": "power",
		"protected_symlinks": "fs", "protected_hardlinks": "fs", "suid_dumpable": "fs", "panic_on_oom": "vm", "mmap_min_addr": "vm",
	}
}

const blockKind, kindMask = 0o060000, 0o170000

// written: a file was opened for writing, or somebody tried to.
func (c *Container) written(s probe.Sight) (Finding, bool) {
	if s.Return < 0 {
		return c.tried(s)
	}
	if s.File.Mode&kindMask == blockKind {
		return found(Kernel, High, FromCalls, "device "+s.File.Name, fmt.Sprintf("%s opened the disk %s for writing", word(s.Command), word(s.File.Name))), true
	}
	in, listed := hostFiles()[s.File.Name]
	if !listed || in != "" && in != s.File.Parent {
		return Finding{}, false
	}
	name := word(path.Join(s.File.GrandParent, s.File.Parent, s.File.Name))
	return found(Kernel, Critical, FromCalls, name, fmt.Sprintf("%s opened %s for writing, which rules the whole host", word(s.Command), name)), true
}

// tried judges by the name that the caller had for the file.
func (c *Container) tried(s probe.Sight) (Finding, bool) {
	name := path.Clean(s.Path)
	in, listed := hostFiles()[path.Base(name)]
	dir := path.Dir(name)
	ruling := listed && (in == "" || path.Base(dir) == in) && (strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/"))
	masked := c.Given != nil && slices.Contains(c.Given.MaskedPaths, name)
	if !ruling && !masked {
		return Finding{}, false
	}
	return found(Kernel, Medium, FromCalls, "tried "+name, fmt.Sprintf("%s tried to open %s for writing, and was refused", word(s.Command), word(name))), true
}

// engineSockets are the names of sockets that make containers.
func engineSockets() []string {
	return []string{
		"docker.sock", "containerd.sock", "containerd.sock.ttrpc", "crio.sock", "podman.sock", "cri-dockerd.sock", "dockershim.sock", "buildkitd.sock", "kubelet.sock", "hatchdog.sock",
	}
}

func (c *Container) socket(s probe.Sight) (Finding, bool) {
	name := s.Path
	if !slices.Contains(engineSockets(), path.Base(name)) {
		return Finding{}, false
	}
	severity, how := Medium, "tried to connect to"
	if s.Return >= 0 {
		severity, how = Critical, "connected to"
	}
	return found(Sockets, severity, FromCalls, how+name, fmt.Sprintf("%s %s the engine's socket %s", word(s.Command), how, word(name))), true
}

// traced: the target is a process by its number in the caller's own pid namespace,
// which may be shared.
func (c *Container) traced(s probe.Sight, same func(caller, inner int) bool) (Finding, bool) {
	target, how := int(int32(s.Args[0])), "reads or writes the memory of" //nolint:gosec // as the kernel takes it
	if s.Call == probe.CallPtrace {
		if s.Args[0] != ptraceAttach && s.Args[0] != ptraceSeize {
			return Finding{}, false
		}
		target, how = int(int32(s.Args[1])), "traces" //nolint:gosec // as the kernel takes it
	}
	if same == nil || same(s.Pid, target) {
		return Finding{}, false
	}
	return found(Trace, High, FromCalls, how, fmt.Sprintf("%s %s process %d, which is another container's", word(s.Command), how, target)), true
}
