package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// inside marks the process that has its own mount namespace already.
const inside = "HATCHDOG_BENCH_INSIDE"

// enter starts this program again in a mount namespace of its own: what is
// mounted in it is gone when it ends, however it ends.
func enter() error {
	if os.Getenv(inside) != "" {
		// Containers that outlive the runtime are ours to wait for, as they are a
		// shim's.
		return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), inside+"=1"))
}

// home is where engines keep bundles and root file systems. Nobody but
// root may write to a folder above it, so a call may take every short way.
const home = "/var/lib"

func (b *bench) path(name ...string) string {
	return filepath.Join(append([]string{b.dir}, name...)...)
}

// prepare makes the tmpfs with a root file system, the policies and a low-level
// runtime that does nothing.
func (b *bench) prepare(specFile string) error {
	var err error
	if b.dir, err = os.MkdirTemp(home, "hatchdog-bench-"); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", b.dir, "tmpfs", 0, "mode=0755"); err != nil {
		return err
	}
	for _, program := range []*string{&b.hatchdog, &b.runc, &b.before} {
		if err := b.install(program); err != nil {
			return err
		}
	}
	for _, sub := range []string{"rootfs/bin", "rootfs/proc", "rootfs/sys", "rootfs/dev", "rootfs/etc", "etc", "noop", "copy"} {
		if err := os.MkdirAll(b.path(sub), 0o755); err != nil {
			return err
		}
	}
	if err := copyFile("/bin/busybox", b.path("rootfs/bin/busybox")); err != nil {
		return fmt.Errorf("it is in every container: %w", err)
	}
	for _, name := range []string{"true", "sleep"} {
		if err := os.Symlink("busybox", b.path("rootfs/bin", name)); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"etc/resolv.conf": "nameserver " + farAddr + "\n", "etc/hostname": "bench\n", "etc/hosts": "127.0.0.1 localhost\n",
		"policy.yaml":      b.policy(b.runc),
		"complain.yaml":    "mode: complain\n" + b.base(b.runc),
		"open.yaml":        b.base(b.runc) + "profile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: off}, egress: {default: allow, allow: [], deny: []}}}\n",
		"named.yaml":       b.namedPolicy(),
		"noop/policy.yaml": b.policy(b.path("noop/runc")),
		"copy/policy.yaml": b.policy(b.path("copy/runc")),
	} {
		if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"noop/runc": fmt.Sprintf(noop, b.runc), "copy/runc": fmt.Sprintf(copying, b.runc, b.path("copy/config.json"))} {
		if err := os.WriteFile(b.path(name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	if err := b.buildLeast(); err != nil {
		return err
	}
	return b.readSpec(specFile)
}

// copyFile copies a program.
func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o755)
}

// install copies a program to beside it, as whoever installs it does: a file that the
// linker wrote page by page costs a process more to map than one that was written
// as a whole.
func (b *bench) install(program *string) error {
	if *program == "" {
		return nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(*program), ".bench-")
	if err != nil {
		return err
	}
	b.installed = append(b.installed, dir)
	copied := filepath.Join(dir, filepath.Base(*program))
	if err := copyFile(*program, copied); err != nil {
		return err
	}
	*program = copied
	return nil
}

// buildLeast builds the floor.
func (b *bench) buildLeast() error {
	source := fmt.Sprintf("package main\n\nimport (\n\t\"os\"\n\t\"syscall\"\n)\n\nfunc main() { _ = syscall.Exec(%q, os.Args, os.Environ()) }\n", b.path("noop/runc"))
	if err := os.WriteFile(b.path("noop/least.go"), []byte(source), 0o644); err != nil {
		return err
	}
	b.floorProgram = filepath.Join(filepath.Dir(b.hatchdog), "least")
	cmd := exec.Command("go", "build", "-o", b.floorProgram, b.path("noop/least.go"))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GO111MODULE=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the floor: %w: %s", err, out)
	}
	return b.install(&b.floorProgram)
}

// copying keeps the spec that a low-level runtime gets: nobody else sees it.
// The bundle is where containerd's shim writes it (see args).
const copying = `#!/bin/busybox sh
case "$1" in
--version | features) exec %s "$1" ;;
esac
[ "$7" != create ] || exec /bin/busybox cp "$9/config.json" %s
`

// noop speaks of itself as the real one does, and otherwise ends at once.
const noop = `#!/bin/busybox sh
case "$1" in
--version | features) exec %s "$1" ;;
esac
`

// policy admits that all bundles share one root file system. It is without
// user namespaces, so that runc can be given what hatchdog makes of a spec. They
// have rows of their own.
func (b *bench) policy(runtime string) string {
	return b.base(runtime) + "profile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: off}}}\n"
}

func (b *bench) base(runtime string) string {
	return fmt.Sprintf("version: 1\nstateDir: %s/state\nids: {dir: %s/ids}\naudit: {path: %s/log/audit.jsonl}\nruntime: {path: %s}\n", b.dir, b.dir, b.dir, runtime)
}

// cleanUp removes what an interrupted run left. It goes as far as it can.
func (b *bench) cleanUp() {
	if b.dir == "" {
		return
	}
	b.stopEngine()
	for _, dir := range b.installed {
		_ = os.RemoveAll(dir)
	}
	if b.peers.runsc != "" {
		for _, pid := range processes("runsc", b.path("root")) { // its sandboxes
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	left, _ := os.ReadDir(b.path("root"))
	for _, c := range left {
		cmd := exec.Command(b.runc, "--root", b.path("root"), "delete", "--force", c.Name())
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		_ = cmd.Run()
	}
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		groups, _ := filepath.Glob(pattern + strings.TrimPrefix(b.cgroup("*"), "/"))
		for _, g := range groups {
			removeGroups(g)
		}
	}
	_ = unix.Unmount(b.dir, unix.MNT_DETACH)
	_ = os.Remove(b.dir)
}

// removeGroups removes a control group and those below it, as far as they are
// empty: Podman leaves some.
func removeGroups(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir)
}
