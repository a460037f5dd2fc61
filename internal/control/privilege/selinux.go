package privilege

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// unconfined is the type that SELinux confines in nothing (container-selinux).
const unconfined = "spc_t"

// labels judges the SELinux labels, which a request may choose at all engines
// (docker run --security-opt label=..., seLinuxOptions of a pod). The engine gives
// each container a type that confines it and two categories of its own.
func (c privilege) labels(s *specs.Spec) error {
	if c.further {
		return nil
	}
	var errs []error
	mount := ""
	if s.Linux != nil {
		mount = s.Linux.MountLabel
	}
	for _, l := range []struct{ field, label string }{{"process.selinuxLabel", s.Process.SelinuxLabel}, {"linux.mountLabel", mount}} {
		if why := malformed(l.label); l.label != "" && why != "" {
			errs = append(errs, c.label(l.field, why, "leave the label to the engine"))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	const field, remedy = "process.selinuxLabel", "leave the label to the engine"
	switch typ := typeOf(s.Process.SelinuxLabel); {
	case slices.Contains(c.rules.SelinuxTypes, typ), typ == "" && mount == "":
		return nil
	case typ != "":
		return c.label(field, "a process of the type "+typ+" is not known to be confined by SELinux", remedy, control.Add("privilege.selinuxTypes", control.Quoted(typ)))
	case !slices.Contains(c.rules.SelinuxTypes, unconfined):
		return c.label(field, "the engine labels this container's files, and the request took the label of the process away: SELinux would confine it in nothing",
			remedy, control.Add("privilege.selinuxTypes", unconfined))
	}
	return nil
}

func (c privilege) label(field, why, remedy string, grants ...control.Grant) error {
	r := &control.Refusal{Control: policy.Privilege, Field: field, Reason: why, Policy: c.where("privilege.selinuxTypes"), Remedy: remedy}
	return r.Granting(grants...)
}

func typeOf(label string) string {
	parts := strings.SplitN(label, ":", 4)
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}

// malformed says what of a label is none that an engine gives: USER:ROLE:TYPE:LEVEL
// (SELinux Notebook, Security Context), where the level has no range and two
// categories at most. With more a process reads what other containers have.
func malformed(label string) string {
	parts := strings.SplitN(label, ":", 4)
	if len(parts) < 3 || slices.ContainsFunc(parts[:3], func(p string) bool { return p == "" || strings.Trim(p, letters) != "" }) {
		return "it is no label of SELinux"
	}
	if len(parts) == 3 {
		return ""
	}
	sensitivity, categories, some := strings.Cut(parts[3], ":")
	if sensitivity != "s0" {
		return "its level is not s0, the one that containers have"
	}
	if !some {
		return ""
	}
	all := strings.Split(categories, ",")
	if len(all) > 2 || slices.ContainsFunc(all, func(c string) bool {
		n, err := strconv.ParseUint(strings.TrimPrefix(c, "c"), 10, 16)
		return err != nil || n > 1023 || !strings.HasPrefix(c, "c")
	}) {
		return "its level is not at most two categories, by which containers are kept apart from each other"
	}
	return ""
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
