package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// peers are other runtimes, and Podman. Of one that is not named nothing is
// measured.
type peers struct{ runsc, crun, podman string }

func (p peers) any() bool { return p != peers{} }

func (b *bench) gvisor() side { return side{"runsc", b.peers.runsc, ""} }

func (b *bench) crun() side { return side{"crun", b.peers.crun, ""} }

// onCrun is hatchdog with a user namespace, in front of crun.
func (b *bench) onCrun() side { return side{"oncrun", b.hatchdog, b.path("userns/crun.yaml")} }

// measurePeers runs the same spec, Docker's, in each of them.
func (b *bench) measurePeers() error {
	if err := b.withoutUnified(); err != nil {
		return err
	}
	for _, part := range []func() error{b.prepareUserns, b.buildInside, b.besideRunc, b.besideRunsc, b.besideCrun, b.besidePodman} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// withoutUnified takes the hierarchy of version 2 away beside those of version 1:
// crun starts no container where both are.
func (b *bench) withoutUnified() error {
	const unified = "/sys/fs/cgroup/unified"
	var fs unix.Statfs_t
	if err := unix.Statfs(unified, &fs); err != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil //nolint:nilerr // it is not there
	}
	return unix.Unmount(unified, 0) // in the bench's own mount namespace
}

func (b *bench) runsBeside(what string, sides [2]side) error {
	all, err := b.alternate(sides, func(s side, id string) (map[string]float64, error) {
		return b.runOf(s, sides[0].name+"-"+id, b.shared)
	})
	if err != nil {
		return err
	}
	b.row(row{what: what, of: *all["run"], unit: "ms"})
	return nil
}

func (b *bench) besideRunc() error {
	return b.runsBeside("run, runc against restricted", [2]side{b.direct(), b.mapped()})
}

func (b *bench) besideRunsc() error {
	if b.peers.runsc == "" {
		return nil
	}
	if err := b.runsBeside("run, runsc against restricted", [2]side{b.gvisor(), b.mapped()}); err != nil {
		return err
	}
	sides := [2]side{b.gvisor(), b.wrapped()}
	all, err := b.alternate(sides, b.callsIn)
	if err != nil {
		return err
	}
	for _, call := range []string{"getppid", "openat", "socket"} {
		b.row(row{what: call + ", runsc against restricted", of: *all[call], unit: "ns"})
	}
	f, err := newFar()
	if err != nil {
		return fmt.Errorf("the other end: %w", err)
	}
	defer f.close()
	if all, err = b.alternate(sides, func(s side, id string) (map[string]float64, error) {
		return b.trafficOf(f, s, "traffic-"+id, "net", farAddr)
	}); err != nil {
		return err
	}
	b.row(row{what: "TCP stream, runsc against restricted", of: *all["stream"], unit: "MB/s"})
	b.row(row{what: "TCP round trip, runsc against restricted", of: *all["ask"], unit: "us"})
	return nil
}

func (b *bench) besideCrun() error {
	if b.peers.crun == "" {
		return nil
	}
	said, err := exec.Command(b.peers.crun, "--version").Output()
	if err != nil {
		return fmt.Errorf("crun --version: %w", err)
	}
	version, _, _ := strings.Cut(strings.Replace(string(said), "crun version ", "crun ", 1), "\n")
	if err := os.WriteFile(b.onCrun().policy, []byte(b.base(b.peers.crun)+required), 0o644); err != nil {
		return err
	}
	if err := b.runsBeside("run, "+version+" against restricted on runc", [2]side{b.crun(), b.mapped()}); err != nil {
		return err
	}
	return b.runsBeside("run, "+version+" against restricted on the same crun", [2]side{b.crun(), b.onCrun()})
}

// besidePodman runs a container through Podman, with its own defaults and runc,
// and with hatchdog in runc's place.
func (b *bench) besidePodman() error {
	if b.peers.podman == "" {
		return nil
	}
	sides := [2]side{{name: "podman"}, {name: "podman-hatchdog"}}
	if err := os.MkdirAll(b.path("podman"), 0o755); err != nil {
		return err
	}
	// Podman gives a runtime next to nothing of its own environment. It tells
	// runtimes by their names.
	for name, program := range map[string]string{"runc": b.runc, "hatchdog": b.hatchdog} {
		text := fmt.Sprintf("#!/bin/busybox sh\nHATCHDOG_POLICY=%s exec %s \"$@\"\n", b.mapped().policy, program)
		if err := os.WriteFile(b.path("podman", name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	conf := "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=500:500\"]\n" // no more than this process may have
	if err := os.WriteFile(b.path("podman/containers.conf"), []byte(conf), 0o644); err != nil {
		return err
	}
	if err := os.Setenv("CONTAINERS_CONF", b.path("podman/containers.conf")); err != nil {
		return err
	}
	all, err := b.alternate(sides, func(s side, id string) (map[string]float64, error) {
		runtime := b.path("podman/runc")
		if s == sides[1] {
			runtime = b.path("podman/hatchdog")
		}
		ms, err := b.time(s, b.peers.podman, "--root", b.path("podman/graph"), "--runroot", b.path("podman/runroot"), "--tmpdir", b.path("podman/tmp"),
			"--cgroup-manager", "cgroupfs", "--events-backend", "none", "--storage-driver", "vfs", "--runtime", runtime,
			"run", "--rm", "--network", "none", "--cgroup-parent", b.cgroup("podman"), "--name", id, "--rootfs", b.path("overlay/merged"), "/bin/true")
		return map[string]float64{"run": ms}, err
	})
	if err != nil {
		return err
	}
	b.row(row{what: "podman run, its defaults against restricted", of: *all["run"], unit: "ms"})
	return nil
}
