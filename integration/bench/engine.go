package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// engine is a containerd of the bench's own, with the stock shim and ours,
// which are built the same way.
type engine struct {
	daemon, client string
	stock, own     string // the shims
	running        *exec.Cmd
	madeRun        bool
}

// containerdRun is where shims have their sockets, whatever the daemon says.
const containerdRun = "/run/containerd"

var errSilent = errors.New("containerd does not answer")

// startEngine starts it in the mount namespace of the bench.
func (b *bench) startEngine() error {
	if err := os.Mkdir(containerdRun, 0o711); err == nil {
		b.engine.madeRun = true
	}
	if err := unix.Mount("tmpfs", containerdRun, "tmpfs", 0, "mode=0711"); err != nil {
		return err
	}
	if err := os.MkdirAll(b.path("engine/bin"), 0o755); err != nil {
		return err
	}
	for _, program := range []string{b.engine.stock, b.engine.own, b.runc} {
		if err := os.Symlink(program, b.path("engine/bin", filepath.Base(program))); err != nil {
			return err
		}
	}
	config := fmt.Sprintf("version = 3\nroot = %q\nstate = %q\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n[grpc]\naddress = %q\n",
		b.path("engine/root"), b.path("engine/state"), b.path("engine/sock"))
	if err := os.WriteFile(b.path("engine/config.toml"), []byte(config), 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(b.path("engine/log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(b.engine.daemon, "--config", b.path("engine/config.toml"))
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+b.path("policy.yaml"), "PATH="+b.path("engine/bin")+":"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.engine.running = cmd
	for range 300 {
		if b.ctr("version").Run() == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errSilent
}

func (b *bench) ctr(args ...string) *exec.Cmd {
	cmd := exec.Command(b.engine.client, append([]string{"-a", b.path("engine/sock")}, args...)...)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	return cmd
}

// stopEngine ends the daemon and whatever shim an interrupted run left.
func (b *bench) stopEngine() {
	if b.engine.running == nil {
		return
	}
	for _, pid := range b.shims() {
		_ = unix.Kill(pid, unix.SIGTERM)
	}
	_ = b.engine.running.Process.Signal(unix.SIGTERM)
	_ = b.engine.running.Wait()
	for _, pid := range b.shims() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	_ = unix.Unmount(containerdRun, unix.MNT_DETACH)
	if b.engine.madeRun {
		_ = os.Remove(containerdRun)
	}
}

// shims are the processes that serve our daemon's containers.
func (b *bench) shims() []int { return processes("containerd-shim-", b.path("engine/sock")) }

// processes are those of a program, by a part of its path, with a word about
// this run in their arguments.
func processes(program, word string) []int {
	var all []int
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range found {
		text, _ := os.ReadFile(f)
		words := strings.Split(string(text), "\x00")
		if !strings.Contains(words[0], program) || !strings.Contains(string(text), word) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(f, "/")[2]); err == nil {
			all = append(all, pid)
		}
	}
	return all
}
