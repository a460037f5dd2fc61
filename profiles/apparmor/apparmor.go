// Package apparmor holds the AppArmor profiles that come with hatchdog. The
// texts are generated from template.txt by the package's test, which `make
// golden` runs, so that nothing of that is in the path of a container's start.
package apparmor

import (
	"embed"
	"slices"
)

//go:embed hatchdog-baseline hatchdog-restricted hatchdog-untrusted
var texts embed.FS

// The names of the profiles, as the kernel knows them.
const (
	Baseline   = "hatchdog-baseline"
	Restricted = "hatchdog-restricted"
	Untrusted  = "hatchdog-untrusted"
)

// Names are the profiles, from wide to narrow.
func Names() []string { return []string{Baseline, Restricted, Untrusted} }

// Ours reports whether name is one of Names.
func Ours(name string) bool { return slices.Contains(Names(), name) }

// Text is what apparmor_parser loads; false where name is not ours.
func Text(name string) (string, bool) {
	if !Ours(name) {
		return "", false
	}
	data, err := texts.ReadFile(name)
	return string(data), err == nil
}

// Grants are the capabilities that a process under the profile can use, where
// it has them: never those that reach past the container, and a margin above
// the built-in policy's ceiling for administrators who raise it.
func Grants(name string) []string {
	docker := []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
		"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
	margin := []string{"CAP_IPC_LOCK", "CAP_NET_ADMIN", "CAP_NET_BROADCAST", "CAP_SYS_NICE", "CAP_SYS_RESOURCE"}
	wide := []string{
		"CAP_AUDIT_WRITE", "CAP_DAC_READ_SEARCH", "CAP_IPC_OWNER", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MKNOD",
		"CAP_SETFCAP", "CAP_SYS_ADMIN", "CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_TTY_CONFIG",
	}
	switch name {
	case Baseline:
		return slices.Concat(docker, margin, wide)
	case Restricted:
		return slices.Concat(docker, margin)
	}
	return nil
}
