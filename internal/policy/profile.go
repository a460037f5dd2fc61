package policy

import "strings"

// Excess says what happens to what the engine asked for beyond the profile.
type Excess string

// The two answers to excess.
const (
	// Tighten takes the excess away and records it.
	Tighten Excess = "tighten"
	// Refuse does not start the container.
	Refuse Excess = "refuse"
)

// The names of the controls, as the policy writes them.
const (
	UserNS       = "userns"
	Capabilities = "capabilities"
	Privilege    = "privilege"
	Apparmor     = "apparmor"
	Namespaces   = "namespaces"
	Mounts       = "mounts"
	Devices      = "devices"
	Resources    = "resources"
	Sysctls      = "sysctls"
	Hooks        = "hooks"
	Annotations  = "annotations"
	Seccomp      = "seccomp"
	Egress       = "egress"
	Prevent      = "prevent"
)

// Profile is a resolved set of ceilings. It is never changed once built:
// Meet and HeldTo return copies. It marshals to the JSON that the record
// keeps, so that exec and update are held to the very profile of create.
type Profile struct {
	Name        string `json:"name" policy:"-"`
	Description string `json:"description,omitempty"`
	// Because is the reason for what weakens the profile (see Policy.Weak).
	Because string `json:"because,omitempty"`

	OnExcess      map[string]Excess `json:"onExcess"`      // by control; every control has an entry
	UnknownFields UnknownFields     `json:"unknownFields"` // of config.json
	Restore       Restore           `json:"restore"`
	Others        Others            `json:"others"`

	UserNS       UserNSRules     `json:"userns"`
	Capabilities CapabilityRules `json:"capabilities"`
	Privilege    PrivilegeRules  `json:"privilege"`
	Apparmor     ApparmorRules   `json:"apparmor"`
	Namespaces   NamespaceRules  `json:"namespaces"`
	Mounts       MountRules      `json:"mounts"`
	RootFS       RootFSRules     `json:"rootfs"`
	Devices      DeviceRules     `json:"devices"`
	Pids         PidsRules       `json:"pids"`
	Memory       MemoryRules     `json:"memory"`
	CPU          CPURules        `json:"cpu"`
	Sysctls      SysctlRules     `json:"sysctls"`
	Hooks        HookRules       `json:"hooks"`
	Annotations  AnnotationRules `json:"annotations"`
	Seccomp      SeccompRules    `json:"seccomp"`
	Egress       EgressRules     `json:"egress"`
	Ingress      IngressRules    `json:"ingress"`
	Rate         RateRules       `json:"rate"`
	Prevent      PreventRules    `json:"prevent"`
	Detect       DetectRules     `json:"detect,omitzero"`

	// Origin maps a dotted key ("memory.max") to the place that set it:
	// "builtin/restricted" or "/etc/hatchdog/policy.yaml:12".
	Origin map[string]string `json:"origin" policy:"-"`
}

// UnknownFields says what happens to fields of config.json that hatchdog
// does not know.
type UnknownFields string

// The two treatments of unknown fields.
const (
	KeepUnknown   UnknownFields = "keep"   // forwarded byte for byte
	RefuseUnknown UnknownFields = "refuse" // the container is not started
)

// Others says what becomes of a request for what the records show to be another
// workload's own: its root file system, its control group, its namespaces.
type Others string

// The two answers to others.
const (
	OthersRefuse Others = "refuse"
	OthersAdmit  Others = "admit"
)

// Restore says whether a checkpoint may be brought back. Its processes have
// what they had, whatever the spec says.
type Restore string

// The two answers to restore.
const (
	RestoreRefuse Restore = "refuse"
	RestoreAdmit  Restore = "admit"
)

// CapabilityRules is the ceiling of all five capability sets.
type CapabilityRules struct {
	Max []string `json:"max"` // sorted, with the CAP_ prefix
	// NonRoot says what a process whose uid is not 0 keeps.
	NonRoot NonRootCaps `json:"nonRoot"`
}

// NonRootCaps is the rule for processes whose uid is not 0.
type NonRootCaps string

// The rules for a uid other than 0.
const (
	// NonRootAmbient keeps only what the ambient set asks for and Max grants:
	// the only capabilities that execve leaves to such a process.
	NonRootAmbient NonRootCaps = "ambient"
	// NonRootKeep applies Max alone.
	NonRootKeep NonRootCaps = "keep"
)

// PrivilegeRules holds the process attributes that carry privilege.
type PrivilegeRules struct {
	NoNewPrivileges bool `json:"noNewPrivileges"` // true: forced on
	// OOMScoreAdjMin is the lowest oomScoreAdj, -1000 to 1000.
	OOMScoreAdjMin int `json:"oomScoreAdjMin"`
	// Umask holds permission bits that are always masked; nil leaves it alone.
	Umask *uint32 `json:"umask,omitempty" policy:",octal"`
	// DeniedGids are additional groups that are taken away: host groups whose
	// number opens files of the host (disk, docker, kvm), should one be mounted.
	DeniedGids []uint32 `json:"deniedGids"`
	// SelinuxTypes are the types of SELinux that a process may have.
	SelinuxTypes []string `json:"selinuxTypes"`
	// Rlimits maps RLIMIT_* to the highest hard limit. Soft never exceeds it.
	// A limit that the engine does not set is set to it where Force is true.
	Rlimits map[string]RlimitRule `json:"rlimits"`
}

// RlimitRule is the ceiling of one resource limit, in the limit's own unit
// (setrlimit(2)).
type RlimitRule struct {
	Max   uint64 `json:"max"`
	Force bool   `json:"force"`
}

// NamespaceRules says which of the host's namespaces a container may share.
type NamespaceRules struct {
	// Host lists the namespace types (spec names: pid, network, mount, ipc,
	// uts, cgroup, time) that may stay the host's.
	Host []string `json:"host"`
	// Join lists the types that may be joined by path when the path is
	// another container's: CRI pods, --net=container:.
	Join []string `json:"join"`
}

// Access is what a host path may be mounted for.
type Access string

// The accesses, ordered none < ro < rw.
const (
	AccessNone Access = "none"
	AccessRO   Access = "ro"
	AccessRW   Access = "rw"
)

// PathRule binds a host path, and all below it, to an access.
type PathRule struct {
	Path   string `json:"path"`
	Access Access `json:"access"`
	Reason string `json:"reason,omitempty"`
	// Derived is true where the rule does not stand in a policy as it is: it was
	// moved to where an engine has its files, bears a workload's own name, or is
	// what two profiles have in common. It opens no more than itself (see Opens).
	Derived bool `json:"-" policy:"-"`
}

// ReasonedPath is a path in the container with the reason why it is closed.
type ReasonedPath struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// MountRules is the policy on mounts.
type MountRules struct {
	// Protect lists host paths that a container may not reach by a bind mount
	// of the path, of something below it or of something above it.
	Protect []PathRule `json:"protect"`
	// Allow lists exceptions to Protect and to Sockets; the longest path wins.
	// An element * stands for any one, {id}, {sandbox} and {pod} for the
	// workload's own (see For).
	Allow []PathRule `json:"allow"`
	// Sockets true admits bind mounts of socket files.
	Sockets bool `json:"sockets"`
	// Masked and ReadOnly are paths of the container that are completed into
	// linux.maskedPaths and linux.readonlyPaths. One with a * stands for those
	// that this host has.
	Masked   []ReasonedPath `json:"masked"`
	ReadOnly []ReasonedPath `json:"readOnly"`
	// Visible lists exceptions to Masked and ReadOnly, for programs that cannot
	// live without.
	Visible []string `json:"visible"`
	// TmpOptions are added to tmpfs mounts on /tmp-like destinations
	// (noexec, nosuid, nodev).
	TmpOptions []string `json:"tmpOptions"`
	// WritableOptions are added to file systems in memory and to bind mounts that
	// the container may write to, with all that they bring along (noexec).
	WritableOptions []MountFlag `json:"writableOptions"`
	// ReadOnlyAt lists destinations whose bind mounts are read-only.
	ReadOnlyAt []string `json:"readOnlyAt"`
	// ProcOptions are added to /proc.
	ProcOptions []ProcOption `json:"procOptions"`
}

// MountFlag is a flag of a mount (mount(8)).
type MountFlag string

// The flags that only narrow.
const (
	NoExec MountFlag = "noexec"
	NoSuid MountFlag = "nosuid"
	NoDev  MountFlag = "nodev"
)

// ProcOption is an option of procfs (proc(5)).
type ProcOption string

// The options that only narrow.
const (
	ProcInvisible  ProcOption = "hidepid=invisible"  // no process of another user
	ProcPtraceable ProcOption = "hidepid=ptraceable" // no process that one may not trace
)

// RootFSRules is the policy on the root file system.
type RootFSRules struct {
	// Allow lists where a root file system may be beside the bundle and what is
	// not protected. An element * stands for any one.
	Allow    []string `json:"allow"`
	ReadOnly bool     `json:"readOnly"` // true: forced read-only
	// Tmpfs lists destinations that get a tmpfs with a copy of the image's
	// content when ReadOnly is true and nothing is mounted there.
	Tmpfs []string `json:"tmpfs"`
	// TmpfsSize is the size of each of them in bytes; 0 leaves the kernel's.
	TmpfsSize int64 `json:"tmpfsSize" policy:",bytes"`
}

// DeviceRule names device nodes as linux.resources.devices does. Nil Major or
// Minor means any.
type DeviceRule struct {
	Type   string `json:"type"` // "c" or "b"
	Major  *int64 `json:"major,omitempty"`
	Minor  *int64 `json:"minor,omitempty"`
	Access string `json:"access"` // subset of "rwm"
}

// DeviceRules is the allow list of devices beyond those that every container
// has (spec config-linux.md, "Default Devices").
type DeviceRules struct {
	Allow []DeviceRule `json:"allow"`
}

// PidsRules is the ceiling of resources.pids.limit; nil is none.
type PidsRules struct {
	Max *int64 `json:"max,omitempty"`
}

// MemoryRules is the ceiling of resources.memory, in bytes; nil is none.
type MemoryRules struct {
	Max *int64 `json:"max,omitempty" policy:",bytes"`
	// Swap is the most swap beyond the memory limit, in bytes; nil leaves it.
	Swap *int64 `json:"swap,omitempty" policy:",bytes"`
}

// CPURules is the ceiling of quota/period, in thousandths of a CPU; nil is
// none.
type CPURules struct {
	MaxMilli *int64 `json:"maxMilli,omitempty" policy:"max,milli"`
}

// SysctlRules is the list of namespaced sysctls that may be set. An entry
// that ends in * is a prefix.
type SysctlRules struct {
	Allow []string `json:"allow"`
}

// Where names the place in the policy that set key, or the nearest enclosing
// key that has one.
func (p *Profile) Where(key string) string {
	for k := key; k != ""; {
		if at, ok := p.Origin[k]; ok {
			return at + " " + key
		}
		i := strings.LastIndexByte(k, '.')
		if i < 0 {
			break
		}
		k = k[:i]
	}
	return p.Name + " " + key
}
