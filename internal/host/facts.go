// Package host gathers what the controls must know about this host, as values.
//
// Guarantees: every probe answers yes, no or an error. An error is inconclusive: it
// is never cached, and the caller must refuse in enforce mode.
// Does not cover: changes of the host between the probe and the call of the
// low-level runtime; package effects holds open what must not change.
// Requires: /proc. A probe says itself what it needs beyond that.
// Spec fields touched: none.
package host

// Facts is what a plan needs to know of the host. The zero value claims
// nothing.
type Facts struct {
	// ID is the container's; "" for a spec of which nobody says whose it is.
	ID string `json:"id,omitempty"`
	// Euid is who we are on the host (see owner.User).
	Euid int `json:"euid"`
	// MayMount is true where we may make mounts (CAP_SYS_ADMIN).
	MayMount bool `json:"mayMount,omitempty"`
	// Bundle is the bundle's path with every symlink followed.
	Bundle   string   `json:"bundle,omitempty"`
	Cgroup   Cgroup   `json:"cgroup"`
	Kernel   Kernel   `json:"kernel"`
	Runtime  Runtime  `json:"runtime"`
	Apparmor Apparmor `json:"apparmor"`
	// HostNamespaces maps a namespace type (spec names) to the identities that
	// count as the host's: those of process 1 and our own, which are the
	// engine's. A path that resolves to any of them joins the host. A type
	// without an entry could not be told: a path of that type is not known to
	// be anything but the host's.
	HostNamespaces map[string][]FileID `json:"hostNamespaces"`
	// Joined holds what was found at each linux.namespaces[].path.
	Joined map[string]JoinedNamespace `json:"joined"`
	// Sources holds what was found at each bind mount's source, by the source
	// as the spec writes it.
	Sources map[string]Source `json:"sources"`
	// Root is what was found at root.path; nil where the host was not asked.
	Root *Root `json:"root,omitempty"`
	// Globs holds what the masked and read-only paths with a * stand for here.
	Globs map[string][]string `json:"globs,omitempty"`
	// Nodes holds what is on this host at the path of each of linux.devices.
	Nodes map[string]Node `json:"nodes,omitempty"`
	// Hooks holds what was found at each hook's path.
	Hooks map[string]HookFile `json:"hooks"`
	Own   Own                 `json:"own"`
	// Limits are our own resource limits, which a container inherits.
	Limits map[string]Limit `json:"limits,omitempty"`
	// UserNS holds what a user namespace would need of this host.
	UserNS UserNS `json:"userns"`
	// Guard says why the kernel's guard cannot hold what the profile denies while a
	// container runs; "" where it can, or nothing is denied.
	Guard string `json:"guard,omitempty"`
	// WatchHolds is true where Guard says something, and hatchctl watch runs, which
	// holds containers to drift alone.
	WatchHolds bool `json:"watchHolds,omitempty"`
}

// FileID is a file's identity: st_dev and st_ino.
type FileID struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

// Cgroup tells what limits this host can hold.
type Cgroup struct {
	// V2 is true where the unified hierarchy is the only one.
	V2 bool `json:"v2"`
	// Controllers available to containers: "cpu", "memory", "pids", ...
	Controllers []string `json:"controllers"`
	// Swap is true where the memory controller counts swap.
	Swap bool `json:"swap"`
}

// Kernel tells what the kernel has.
type Kernel struct {
	Namespaces []string `json:"namespaces"` // spec names
	// MountSetattr is true where mount_setattr(2) is there (5.12).
	MountSetattr bool `json:"mountSetattr"`
}

// Runtime is what `features` and `--version` of the low-level runtime say.
type Runtime struct {
	Path         string   `json:"path"`
	Name         string   `json:"name"` // "runc" or "crun"
	Version      string   `json:"version"`
	Namespaces   []string `json:"namespaces"`
	MountOptions []string `json:"mountOptions"`
	// UnsafeAnnotations are the annotations, or prefixes ending in ".", that
	// it acts on (features: potentiallyUnsafeConfigAnnotations).
	UnsafeAnnotations []string `json:"unsafeAnnotations"`
}

// JoinedNamespace is a namespace that the spec joins by path.
type JoinedNamespace struct {
	ID   FileID `json:"id"`
	Type string `json:"type"` // as the kernel says (NS_GET_NSTYPE), spec name
	// Owner is the user namespace that it belongs to.
	Owner UserNSOwner `json:"owner"`
	// NoHostRoot is true for a user namespace that surely maps no id of the host
	// below 65536.
	NoHostRoot bool `json:"noHostRoot,omitempty"`
	// Groups are the control groups of the process whose namespace was named.
	Groups []string `json:"groups,omitempty"`
	// Err is set where the path could not be opened as a namespace.
	Err string `json:"err,omitempty"`
}

// Source is a bind mount's source on this host.
type Source struct {
	// Resolved is the path with every symlink followed.
	Resolved string `json:"resolved"`
	ID       FileID `json:"id"`
	Dir      bool   `json:"dir"`
	Socket   bool   `json:"socket"`
	Fifo     bool   `json:"fifo,omitempty"`
	Device   bool   `json:"device"`
	// Node is what a device node stands for.
	Node Node `json:"node,omitzero"`
	// MountPoint is true where something is mounted at Resolved.
	MountPoint bool `json:"mountPoint,omitempty"`
	// Flags are the options of the mount that it lies on which a user namespace
	// locks (mount_namespaces(7)): "ro" and "noexec".
	Flags []string `json:"flags,omitempty"`
	// Owners are users and groups from 65536 on that own the file, or, of a
	// directory, one of the first files in it (32 at most): one for each 65,536.
	Owners []uint32 `json:"owners,omitempty"`
	// Aliases are the other paths that lead to the same file, through bind
	// mounts or where a protected path is itself a link.
	Aliases []string `json:"aliases,omitempty"`
	// Contains lists protected paths, as the profile writes them, that lie in
	// the source under whatever name.
	Contains []string `json:"contains,omitempty"`
	// Brings are the other names of what is mounted below the source, which a
	// bind mount brings along.
	Brings []string `json:"brings,omitempty"`
	// Mounted are the identities of what is mounted below the source.
	Mounted []FileID `json:"mounted,omitempty"`
	// Within are the identities of the directories that it lies in, its own
	// first, under each of its names.
	Within []FileID `json:"within,omitempty"`
	// Idmap tells whether all that a bind mount of it brings in takes an id
	// mapping.
	Idmap Support `json:"idmap"`
	// Steady is true where nobody but root can change what the path leads to:
	// each directory on the way is root's and not writable by others.
	Steady bool `json:"steady"`
	// Err is set where the source could not be opened.
	Err string `json:"err,omitempty"`
}

// Root is the directory of a root file system.
type Root struct {
	Source
	// InBundle is true where it lies below the bundle, whatever links lead to it.
	InBundle bool `json:"inBundle"`
	// Missing is true where nothing is there.
	Missing bool `json:"missing,omitempty"`
	// Upper is the upper layer of an overlay, where what the container writes is.
	Upper FileID `json:"upper,omitzero"`
	// Links are the places of the image that a low-level runtime works on, and
	// that are symbolic links.
	Links []string `json:"links,omitempty"`
	// Cwd is where the process's working directory leads by links of the image
	// and of volumes.
	Cwd string `json:"cwd,omitempty"`
	// Destinations are where those of mounts lead by such links, by what the spec
	// says; what leads where it says is not among them.
	Destinations map[string][]string `json:"destinations,omitempty"`
}

// Node is a device node. A path that leads to none is the zero value.
type Node struct {
	Type         string `json:"type"` // c or b
	Major, Minor int64
}

// HookFile is a hook's executable.
type HookFile struct {
	// Resolved is the path with every symlink followed; for a link of procfs,
	// what the link names.
	Resolved string `json:"resolved"`
	ID       FileID `json:"id"`
	// RootOnly is true where the file and each directory on the way are root's
	// and not writable by others.
	RootOnly bool `json:"rootOnly"`
	// Dockerd is true where the file is the executable of a dockerd that runs
	// in the host's mount and pid namespace.
	Dockerd bool `json:"dockerd"`
	// Linked is true where the path is a link of procfs, which leads elsewhere
	// when the process has ended.
	Linked bool `json:"linked,omitempty"`
	// Gone is true where a dockerd runs that was replaced since it was started:
	// its file has no name, and the kernel mounts it nowhere.
	Gone bool   `json:"gone,omitempty"`
	Err  string `json:"err,omitempty"`
}
