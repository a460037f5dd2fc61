package lowlevel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	json "github.com/go-json-experiment/json/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Given is what the low-level runtime gave a container, as far as it keeps it
// while the container is there.
type Given struct {
	Seccomp         *specs.LinuxSeccomp // nil is no filter
	Capabilities    *specs.LinuxCapabilities
	NoNewPrivileges bool
	MaskedPaths     []string
	ReadonlyPaths   []string
	Devices         []specs.LinuxDeviceCgroup
	// Cgroups are the directories of the container's control group: by
	// controller in version 1, under "" in version 2.
	Cgroups map[string]string
}

// FindGiven reads it: runc has it in state.json, in a form of its own
// (libcontainer/configs), crun keeps the spec, and in status where the control
// group is.
func FindGiven(root, id string) (*Given, error) {
	data, err := os.ReadFile(filepath.Join(root, id, "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return givenByCrun(filepath.Join(root, id))
	}
	if err != nil {
		return nil, fmt.Errorf("the low-level runtime's state: %w", err)
	}
	return givenByRunc(data)
}

func givenByCrun(dir string) (*Given, error) {
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, fmt.Errorf("the low-level runtime's state: %w", err)
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("the low-level runtime's state: %w", err)
	}
	g := &Given{}
	if s.Process != nil {
		g.Capabilities, g.NoNewPrivileges = s.Process.Capabilities, s.Process.NoNewPrivileges
	}
	if s.Linux != nil {
		g.Seccomp, g.MaskedPaths, g.ReadonlyPaths = s.Linux.Seccomp, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths
		if s.Linux.Resources != nil {
			g.Devices = s.Linux.Resources.Devices
		}
	}
	var status struct {
		Path string `json:"cgroup-path"`
	}
	data, err = os.ReadFile(filepath.Join(dir, "status"))
	if err == nil && json.Unmarshal(data, &status) == nil && status.Path != "" {
		g.Cgroups = crunCgroups(status.Path)
	}
	return g, nil
}

// crunCgroups is where a control group of that path is: on version 1 once for
// each controller.
func crunCgroups(path string) map[string]string {
	const top = "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(top, "cgroup.controllers")); err == nil {
		return map[string]string{"": filepath.Join(top, path)}
	}
	all := map[string]string{}
	for _, c := range []string{"pids", "memory", "cpu", "devices", "freezer"} {
		all[c] = filepath.Join(top, c, path)
	}
	return all
}

// runcState is the part of state.json that is read (runc 1.1 to 1.5,
// libcontainer/configs).
type runcState struct {
	Cgroups map[string]string `json:"cgroup_paths"`
	Config  struct {
		Capabilities    *runcCapabilities `json:"capabilities"`
		NoNewPrivileges bool              `json:"no_new_privileges"`
		Masked          []string          `json:"mask_paths"`
		ReadOnly        []string          `json:"readonly_paths"`
		Seccomp         *runcFilter       `json:"seccomp"`
		Cgroups         struct {
			Devices []runcDevice `json:"devices"`
		} `json:"cgroups"`
	} `json:"config"`
}

// runcCapabilities has the names of members that runc writes.
type runcCapabilities struct {
	Bounding, Effective, Inheritable, Permitted, Ambient []string
}

type runcDevice struct {
	Type        rune   `json:"type"`
	Major       int64  `json:"major"` // -1 is any
	Minor       int64  `json:"minor"`
	Permissions string `json:"permissions"`
	Allow       bool   `json:"allow"`
}

type runcFilter struct {
	Default   int                      `json:"default_action"`
	DefaultNo *uint                    `json:"default_errno_ret"`
	Arches    []string                 `json:"architectures"`
	Flags     []specs.LinuxSeccompFlag `json:"flags"`
	Syscalls  []struct {
		Name   string `json:"name"`
		Action int    `json:"action"`
		Errno  *uint  `json:"errnoRet"`
		Args   []struct {
			Index    uint   `json:"index"`
			Value    uint64 `json:"value"`
			ValueTwo uint64 `json:"value_two"`
			Op       int    `json:"op"`
		} `json:"args"`
	} `json:"syscalls"`
	Listener string `json:"listener_path"`
}

func givenByRunc(state []byte) (*Given, error) {
	var s runcState
	if err := json.Unmarshal(state, &s); err != nil {
		return nil, fmt.Errorf("the low-level runtime's state: %w", err)
	}
	c := &s.Config
	g := &Given{NoNewPrivileges: c.NoNewPrivileges, MaskedPaths: c.Masked, ReadonlyPaths: c.ReadOnly, Cgroups: s.Cgroups}
	if have := c.Capabilities; have != nil {
		g.Capabilities = &specs.LinuxCapabilities{Bounding: have.Bounding, Effective: have.Effective, Inheritable: have.Inheritable, Permitted: have.Permitted, Ambient: have.Ambient}
	}
	for _, d := range c.Cgroups.Devices {
		rule := specs.LinuxDeviceCgroup{Allow: d.Allow, Type: string(d.Type), Access: d.Permissions}
		if d.Major >= 0 {
			rule.Major = &d.Major
		}
		if d.Minor >= 0 {
			rule.Minor = &d.Minor
		}
		g.Devices = append(g.Devices, rule)
	}
	var err error
	if c.Seccomp != nil {
		g.Seccomp, err = c.Seccomp.spec()
	}
	return g, err
}

var errFilterForm = errors.New("the low-level runtime's state: a filter in a form that is not known")

// spec is the filter as the OCI spec writes it. runc numbers actions and
// operators from 1 (libcontainer/configs/config.go).
func (f *runcFilter) spec() (*specs.LinuxSeccomp, error) {
	actions := []specs.LinuxSeccompAction{
		"", specs.ActKill, specs.ActErrno, specs.ActTrap, specs.ActAllow, specs.ActTrace, specs.ActLog, specs.ActNotify, specs.ActKillThread, specs.ActKillProcess,
	}
	ops := []specs.LinuxSeccompOperator{
		"", specs.OpEqualTo, specs.OpNotEqual, specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpMaskedEqual,
	}
	if f.Default <= 0 || f.Default >= len(actions) {
		return nil, errFilterForm
	}
	s := &specs.LinuxSeccomp{DefaultAction: actions[f.Default], DefaultErrnoRet: f.DefaultNo, Flags: f.Flags, ListenerPath: f.Listener}
	for _, a := range f.Arches {
		s.Architectures = append(s.Architectures, archOf(a))
	}
	for _, call := range f.Syscalls {
		if call.Action <= 0 || call.Action >= len(actions) {
			return nil, errFilterForm
		}
		rule := specs.LinuxSyscall{Names: []string{call.Name}, Action: actions[call.Action], ErrnoRet: call.Errno}
		for _, a := range call.Args {
			if a.Op <= 0 || a.Op >= len(ops) {
				return nil, errFilterForm
			}
			rule.Args = append(rule.Args, specs.LinuxSeccompArg{Index: a.Index, Value: a.Value, ValueTwo: a.ValueTwo, Op: ops[a.Op]})
		}
		s.Syscalls = append(s.Syscalls, rule)
	}
	return s, nil
}

// archOf is the spec's name of an architecture of runc's
// (libcontainer/seccomp/config.go).
func archOf(name string) specs.Arch {
	switch name {
	case "amd64":
		return specs.ArchX86_64
	case "arm64":
		return specs.ArchAARCH64
	case "loong64":
		return specs.ArchLOONGARCH64
	}
	return specs.Arch("SCMP_ARCH_" + strings.ToUpper(name))
}
