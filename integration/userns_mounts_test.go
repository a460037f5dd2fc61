package integration

import (
	"os"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What the host mounted read-only or noexec stays so in a user namespace, also
// where the engine writes "rw" or "exec" beside it, as CRI does.
func TestUserNSLockedFlags(t *testing.T) {
	dir := openDir(t)
	policyFile(t, dir, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
	for flags, options := range map[uintptr][]string{
		syscall.MS_RDONLY: {"rw"}, syscall.MS_NOEXEC: {"exec"}, syscall.MS_NOATIME: {}, syscall.MS_RDONLY | syscall.MS_NOEXEC: {"rw", "exec"},
	} {
		source := dir + "/locked"
		must(t, os.MkdirAll(source, 0o755))
		// Not a tmpfs, which takes no id mapping before kernel 6.3.
		must(t, syscall.Mount(source, source, "", syscall.MS_BIND, ""))
		must(t, syscall.Mount("", source, "", syscall.MS_BIND|syscall.MS_REMOUNT|flags, ""))
		bundle := bundleOf(t, []string{"true"}, func(s *specs.Spec) {
			s.Process.Args = []string{"/bin/sh", "-c", "while read l; do case $l in *' /v '*) echo $l;; esac; done </proc/mounts"}
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/v", Type: "bind", Source: source, Options: append([]string{"rbind"}, options...)})
		})
		out, code := held{dir, "locked"}.hatchdog(t, "run", "--bundle", bundle, "locked")
		must(t, syscall.Unmount(source, 0))
		if code != 0 {
			t.Errorf("%v: %s", options, out)
			continue
		}
		for flag, bit := range map[string]uintptr{"ro,": syscall.MS_RDONLY, "noexec": syscall.MS_NOEXEC, "noatime": syscall.MS_NOATIME} {
			if flags&bit != 0 && !strings.Contains(out, flag) {
				t.Errorf("%v: not %s: %s", options, flag, out)
			}
		}
	}
}

// The devices that the low-level runtime makes itself may be listed, as
// --privileged lists all.
func TestUserNSListedTerminals(t *testing.T) {
	dir := openDir(t)
	policyFile(t, dir, "profile: p\nprofiles: {p: {extends: builtin/restricted, onExcess: {devices: tighten}, userns: {mode: required}}}\n")
	bundle := bundleOf(t, nil, func(s *specs.Spec) {
		s.Process.Args = []string{"/bin/sh", "-c", "test -c /dev/ptmx && test -c /dev/null && test -c /dev/tty && echo THERE"}
		for path, minor := range map[string]int64{"/dev/tty": 0, "/dev/console": 1, "/dev/ptmx": 2} {
			s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: path, Type: "c", Major: 5, Minor: minor})
		}
		s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: "/dev/null", Type: "c", Major: 1, Minor: 3}, specs.LinuxDevice{Path: "/dev/kmsg", Type: "c", Major: 1, Minor: 11})
	})
	out, code := held{dir, "listed"}.hatchdog(t, "run", "--bundle", bundle, "listed")
	if code != 0 || !strings.Contains(out, "THERE") {
		t.Errorf("%d: %s", code, out)
	}
}
