package why

import (
	"debug/elf"
	"runtime"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// second is the architecture that processors of the host's kind run as well, and
// its programs' mark.
func second() (specs.Arch, elf.Machine) {
	if runtime.GOARCH == "arm64" {
		return specs.ArchARM, elf.EM_ARM
	}
	return specs.ArchX86, elf.EM_386
}

func secondMachine() elf.Machine {
	_, m := second()
	return m
}

// otherArch is not nil where the filter kills programs of the second
// architecture.
func (c *Container) otherArch(what string) *Finding {
	arch, _ := second()
	if c.Given == nil || c.Given.Seccomp == nil || slices.Contains(c.Given.Seccomp.Architectures, arch) {
		return nil
	}
	name := strings.TrimPrefix(string(arch), "SCMP_ARCH_")
	reason := "the filter kills whatever makes a call of the architecture " + name
	var f Finding
	if c.Asked != nil && c.Asked.Linux != nil && c.Asked.Linux.Seccomp != nil && !slices.Contains(c.Asked.Linux.Seccomp.Architectures, arch) {
		f = other(what, LayerFilter, reason+", and the engine asked for that").remedy("give the engine another filter (docker run --security-opt seccomp=FILE)")
	} else {
		f = hatchdog(what, reason+": the profile does not admit it", c.where("seccomp.architectures"), control.Add("seccomp.architectures", string(arch))).lifts(inProfile(func(p *policy.Profile) bool {
			return slices.Contains(p.Seccomp.Architectures, string(arch))
		}))
	}
	return &f
}

// CallForeign is a call of the second architecture that a filter is known to have
// denied.
func (c *Container) CallForeign(seen string) Finding {
	arch, _ := second()
	name := strings.TrimPrefix(string(arch), "SCMP_ARCH_")
	if f := c.otherArch("a call of the architecture " + name); f != nil {
		return f.with(seen)
	}
	return undetermined("a call of the architecture "+name, "a filter denied it, and calls of that architecture are not looked up", seen)
}
