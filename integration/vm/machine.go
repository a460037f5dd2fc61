package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine is what all boots have in common.
type machine struct {
	image string // folder of root.img and vmlinuz
	work  string
	lock  string
	accel string
	lsm   string // the security module of this boot: AppArmor where it is empty
}

// result is how a boot went.
type result struct {
	up   bool // the guest said so
	code int  // of the tests; -1: the guest died before it said one
	why  string
	took time.Duration
}

// The processor that emulation is stable with: with two, or with all of
// QEMU's features, the kernel of Debian 12 panics now and then.
const emulated = "Nehalem,+rdrand,-cx16"

// args is QEMU's command line. The root disk is the only NVMe and the payload
// the first virtio disk, so that neither name depends on the order of probes.
func (m machine) args(payload string) []string {
	cpu := emulated
	if m.accel == "kvm" {
		cpu = "host"
	}
	command := "console=ttyS0 quiet panic=-1 oops=panic root=/dev/nvme0n1 rootfstype=ext4 rw init=/vm/init " +
		"net.ifnames=0 random.trust_cpu=on " + m.module()
	return []string{
		"-nodefaults", "-display", "none", "-no-reboot", "-machine", "q35,accel=" + m.accel, "-cpu", cpu, "-smp", "1", "-m", "2G",
		"-kernel", filepath.Join(m.image, "vmlinuz"), "-append", command,
		"-drive", "if=none,id=root,format=raw,snapshot=on,cache=unsafe,file=" + filepath.Join(m.image, "root.img"),
		"-device", "nvme,drive=root,serial=root",
		"-drive", "if=none,id=payload,format=raw,readonly=on,file=" + payload,
		"-device", "virtio-blk-pci,drive=payload,addr=0x10",
		"-drive", "if=none,id=swap,format=raw,cache=unsafe,file=" + m.file("swap.img"),
		"-device", "virtio-blk-pci,drive=swap,addr=0x11",
		"-serial", "file:" + m.file("console"),
		"-device", "virtio-serial-pci",
		"-chardev", "file,id=out,path=" + m.file("out"), "-device", "virtserialport,chardev=out,name=hatchdog.out",
		"-chardev", "file,id=rc,path=" + m.file("rc"), "-device", "virtserialport,chardev=rc,name=hatchdog.rc",
	}
}

// module is the part of the kernel's command line that chooses who confines.
func (m machine) module() string {
	if m.lsm == "selinux" {
		return "security=selinux enforcing=1"
	}
	return "apparmor=1 security=apparmor"
}

func (m machine) file(name string) string { return filepath.Join(m.work, name) }

// run boots once, shows what the guest prints as it comes, and waits for its
// end. upLimit is for the boot, limit for all.
func (m machine) run(ctx context.Context, payload string, upLimit, limit time.Duration, show func(string)) (result, error) {
	unlock, err := lock(ctx, m.lock)
	if err != nil {
		return result{}, err
	}
	defer unlock()
	if err := m.clear(); err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", m.args(payload)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	cmd.Stderr = &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return result{}, fmt.Errorf("start QEMU: %w", err)
	}
	tail := follow(m.file("out"), show)
	late := time.AfterFunc(upLimit, func() {
		if !tail.seen("hatchdog-vm: up") {
			cancel()
		}
	})
	defer late.Stop()
	err = cmd.Wait()
	tail.end()
	r := result{up: tail.seen("hatchdog-vm: up"), code: -1, took: time.Since(began)}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		r.why = fmt.Sprintf("not done after %s", limit)
	case ctx.Err() != nil && !r.up:
		r.why = fmt.Sprintf("not up after %s", r.took.Round(time.Second))
	case ctx.Err() != nil:
		r.why = "interrupted"
	case err != nil:
		r.why = fmt.Sprintf("QEMU: %v: %s", err, strings.TrimSpace(said.String()))
	default:
		r.why = "the guest ended without an exit code of its tests"
	}
	if code, err := m.code(); err == nil {
		r.code, r.why = code, ""
	}
	return r, nil
}

// clear takes away what the boot before left, and makes an empty disk for swap.
func (m machine) clear() error {
	for _, name := range []string{"console", "out", "rc", "swap.img"} {
		if err := os.Remove(m.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile(m.file("swap.img"), nil, 0o600); err != nil {
		return err
	}
	return os.Truncate(m.file("swap.img"), 256<<20)
}

// code is what the guest wrote as its tests' exit code.
func (m machine) code() (int, error) {
	data, err := os.ReadFile(m.file("rc"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}
