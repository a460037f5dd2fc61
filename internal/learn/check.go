package learn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// ErrWider means that a profile would grant what was not meant: it is not written.
var ErrWider = errors.New("the learned profile would say something else than was learned")

// check reads what was written as hatchdog will, and compares it with what was
// meant: nothing that a container does can add to it.
func (p *Profile) check(text []byte) error {
	pol, err := policy.Default()
	if err != nil {
		return err
	}
	ceiling := pol.Profiles["builtin/"+base]
	with, err := pol.Before("learned", text)
	if err != nil {
		return fmt.Errorf("the learned profile: %w", err)
	}
	got := with.Profiles[p.Name]
	same := func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	}
	switch {
	case got == nil, len(with.Profiles) != len(pol.Profiles)+1, len(with.Rules) != len(pol.Rules):
		return fmt.Errorf("%w: profiles or rules", ErrWider)
	case !same(got.Capabilities.Max, named(p.Capabilities)):
		return fmt.Errorf("%w: capabilities.max", ErrWider)
	case string(got.Seccomp.Table) != p.Table, !same(got.Seccomp.Allow, named(p.Allow)), !same(got.Seccomp.Deny, p.Deny):
		return fmt.Errorf("%w: seccomp", ErrWider)
	case p.Network && (!same(got.Egress.Allow, named(p.Egress)) || !same(got.Ingress.Allow, named(p.Ingress))):
		return fmt.Errorf("%w: egress or ingress", ErrWider)
	case got.RootFS.ReadOnly != (p.ReadOnly || ceiling.RootFS.ReadOnly):
		return fmt.Errorf("%w: rootfs", ErrWider)
	case !slices.EqualFunc(got.Mounts.Allow, ceiling.Mounts.Allow, func(a, b policy.PathRule) bool { return a.Path == b.Path && a.Access == b.Access }),
		got.Mounts.Sockets != ceiling.Mounts.Sockets, len(got.Devices.Allow) != len(ceiling.Devices.Allow),
		got.Privilege.NoNewPrivileges != ceiling.Privilege.NoNewPrivileges, got.UserNS.Mode != ceiling.UserNS.Mode:
		return fmt.Errorf("%w: mounts, devices or privilege", ErrWider)
	}
	return nil
}

func named(lines []Line) []string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Value)
	}
	return all
}
