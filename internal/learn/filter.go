package learn

import (
	"encoding/json"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// Filter is an OCI filter that lets pass what builtin/restricted does, and has the
// kernel log each such call. Given to a container that hatchdog holds it takes away
// and adds nothing: a call is logged that both let pass.
func Filter(native specs.Arch) ([]byte, error) {
	pol, err := policy.Default()
	if err != nil {
		return nil, err
	}
	ceiling := pol.Profiles["builtin/"+base]
	if ceiling == nil {
		return nil, fmt.Errorf("builtin/%s: there is none", base)
	}
	table, err := tables.Load(base)
	if err != nil {
		return nil, err
	}
	wish := seccomp.Wish{Native: native, Capabilities: ceiling.Capabilities.Max}
	spec := seccomp.Intersect(nil, table.Resolve(wish), wish).Spec
	logging := func(a *specs.LinuxSeccompAction) {
		if *a == specs.ActAllow {
			*a = specs.ActLog
		}
	}
	logging(&spec.DefaultAction)
	for i := range spec.Syscalls {
		logging(&spec.Syscalls[i].Action)
	}
	out, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return append(out, '\n'), nil
}
