package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Docker's filter under the low-level runtime, and none.
func (b *bench) docker() side { return side{"docker", b.runc, ""} }

func (b *bench) unfiltered() side { return side{"unfiltered", b.runc, ""} }

// callCosts measures a system call in a container.
func (b *bench) callCosts() error {
	if err := b.buildInside(); err != nil {
		return err
	}
	for _, c := range []struct {
		with  side
		what  string
		ratio float64
	}{
		{b.unfiltered(), "no filter", 0},
		{b.docker(), "Docker's filter", 1},
	} {
		all, err := b.alternate([2]side{c.with, b.wrapped()}, b.callsIn)
		if err != nil {
			return err
		}
		for _, call := range []struct{ name, what string }{
			{"getppid", "getppid"}, {"openat", "openat and close"}, {"socket", "socket and close"},
		} {
			b.row(row{what: fmt.Sprintf("%s, %s against restricted", call.what, c.what), of: *all[call.name], unit: "ns", ratio: c.ratio})
		}
	}
	return nil
}

// callsIn runs a container that prints what its calls take.
func (b *bench) callsIn(s side, id string) (map[string]float64, error) {
	id = "calls-" + id
	raw, err := b.asked(id, "/bin/inside", "calls")
	if err != nil {
		return nil, err
	}
	if s == b.unfiltered() {
		var spec specs.Spec
		if err := json.Unmarshal(raw, &spec); err != nil {
			return nil, err
		}
		spec.Linux.Seccomp = nil
		if raw, err = json.Marshal(&spec); err != nil {
			return nil, err
		}
	}
	if err := b.bundle(id, raw); err != nil {
		return nil, err
	}
	out, err := b.output(id)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if _, err := b.timeTo(out, s, s.program, b.args("run", "--bundle", b.path("bundles", id), id)...); err != nil {
		return nil, err
	}
	return b.told(id)
}

// output is the file for what a container prints.
func (b *bench) output(id string) (*os.File, error) {
	return os.OpenFile(b.path("bundles", id, "out"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// told reads what a container printed: NAME NUMBER.
func (b *bench) told(id string) (map[string]float64, error) {
	raw, err := os.ReadFile(b.path("bundles", id, "out"))
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(raw)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		if all[name], err = strconv.ParseFloat(number, 64); err != nil {
			return nil, fmt.Errorf("%s printed %q", id, raw)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: %w", id, errTold)
	}
	return all, nil
}

var errTold = errors.New("the container printed nothing")

// buildInside builds the program that measures in a container.
func (b *bench) buildInside() error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.path("rootfs/bin/inside"), "github.com/hatchdog/hatchdog/integration/bench/inside")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the program of the containers: %w: %s", err, out)
	}
	return nil
}
