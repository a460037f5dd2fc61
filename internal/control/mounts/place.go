package mounts

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
)

// places are where a mount comes to be: where its destination says and, by links
// of the image and of volumes, where it leads.
func (c mounts) places(m specs.Mount) []string {
	if c.facts.Root == nil {
		return []string{at(m)}
	}
	return append([]string{at(m)}, c.facts.Root.Destinations[m.Destination]...)
}

// standsFor says what of the container's own a mount would stand for, that a
// low-level runtime works with as the host's root; "" is nothing.
func (c mounts) standsFor(m specs.Mount) (why, remedy string) {
	for _, p := range c.places(m) {
		switch {
		case p == host.Endless:
			return "its links lead to no end", "mend the image or the volume"
		case p == "/":
			return "what lies there stands for the root file system, and nobody looked for links in it that mislead (CVE-2023-27561)", "mount it on a directory"
		case p == "/proc" && (isBind(m) || m.Type != "proc"):
			return "what lies there stands for the kernel's own: masks would cover nothing, and LSM labels would be written into a file (CVE-2019-16884)",
				"mount a file system of type proc there"
		case strings.HasPrefix(p, "/proc/") && !inProc(p):
			return "what lies there stands for the kernel's own, and what low-level runtimes write there would go elsewhere (CVE-2025-52881)", "mount it elsewhere"
		case isBind(m) && terminals(p) && !terminals(c.facts.Sources[m.Source].Resolved):
			return "others who can write there lead low-level runtimes where they make devices and terminals (CVE-2025-31133, CVE-2025-52565)",
				"mount a file system of type " + map[bool]string{true: "tmpfs", false: "devpts"}[p == "/dev"] + " there"
		}
	}
	return "", ""
}

// inProc are the files of procfs that runc lets a mount cover, for those who
// show limits there (libcontainer, checkProcMount).
func inProc(p string) bool {
	return slices.Contains([]string{
		"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/loadavg", "/proc/slabinfo",
		"/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled",
	}, p)
}

// terminals are the directories of device nodes and of terminals.
func terminals(p string) bool {
	return p == "/dev" || p == "/dev/pts" || strings.HasPrefix(p, "/dev/pts/")
}
