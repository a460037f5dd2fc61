package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// The three ways from containerd to the low-level runtime.
func (b *bench) stockShim() side { return side{name: "stock"} }

func (b *bench) binaryName() side { return side{name: "binaryname"} }

func (b *bench) ownShim() side { return side{name: "own"} }

// runtime are the arguments with which ctr chooses the way.
func (b *bench) runtime(s side) []string {
	switch s.name {
	case "own":
		return []string{"--runtime", "io.containerd.hatchdog.v1"}
	case "binaryname":
		return []string{"--runtime", "io.containerd.runc.v2", "--runc-binary", b.hatchdog}
	}
	return []string{"--runtime", "io.containerd.runc.v2"}
}

// ctrRun starts a container of the bench's root file system.
func (b *bench) ctrRun(s side, id string, flags []string, args ...string) error {
	if err := b.ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	all := append([]string{"run", "--rootfs", "--cgroup", b.cgroup(id)}, flags...)
	all = append(append(all, b.runtime(s)...), b.path("rootfs"), id)
	// A container's output is a file: it must not hold up the end of ctr.
	out, err := os.OpenFile(b.path("stderr"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := b.ctr(append(all, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(b.path("stderr"))
		return fmt.Errorf("ctr run, %s: %w: %s", s.name, err, said)
	}
	return nil
}

// engines measures what a user of containerd sees. Without one it measures
// nothing.
func (b *bench) engines() error {
	if b.engine.daemon == "" {
		return nil
	}
	if err := b.startEngine(); err != nil {
		return err
	}
	for _, c := range []struct {
		what string
		s    side
	}{
		{"ctr run, stock shim against its BinaryName", b.binaryName()},
		{"ctr run, stock shim against ours", b.ownShim()},
	} {
		all, err := b.alternate([2]side{b.stockShim(), c.s}, func(s side, id string) (map[string]float64, error) {
			begin := time.Now()
			err := b.ctrRun(s, c.s.name+"-"+id, []string{"--rm"}, "/bin/true")
			return map[string]float64{"run": float64(time.Since(begin).Microseconds()) / 1000}, err
		})
		if err != nil {
			return err
		}
		b.row(row{what: c.what, of: *all["run"], unit: "ms", ratio: shimRatio})
	}
	all, err := b.alternate([2]side{b.stockShim(), b.ownShim()}, b.residents)
	if err != nil {
		return err
	}
	b.row(row{what: "resident memory of the shim, stock, ours", of: *all["VmRSS"], unit: "MiB", ratio: 1})
	b.row(row{what: "anonymous memory of the shim, stock, ours", of: *all["RssAnon"], unit: "MiB", ratio: 1})
	return b.sizesOf("size of the shim, stock, ours", 1, b.engine.stock, b.engine.own)
}

// residents looks at the shim of a container that runs.
func (b *bench) residents(s side, id string) (map[string]float64, error) {
	id = "resident-" + id
	if err := b.ctrRun(s, id, []string{"--detach"}, "/bin/sleep", "1000"); err != nil {
		return nil, err
	}
	took := map[string]float64{}
	for _, pid := range b.shims() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			if key != "VmRSS" && key != "RssAnon" {
				continue
			}
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				return nil, err
			}
			took[key] += kib / 1024
		}
	}
	if len(took) != 2 {
		return nil, fmt.Errorf("the shim of %s was not found", id)
	}
	for _, args := range [][]string{{"task", "delete", "--force", id}, {"container", "delete", id}} {
		if said, err := b.ctr(args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ctr %v: %w: %s", args, err, said)
		}
	}
	// The next one must be alone.
	for range 100 {
		if len(b.shims()) == 0 {
			return took, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, fmt.Errorf("the shim of %s does not end", id)
}
