package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// learning measures what a call costs in a container while that is recorded
// (hatchctl learn), and on the host meanwhile.
func (b *bench) learning() error {
	if b.watching.hatchctl == "" {
		return nil
	}
	for _, place := range []struct {
		what  string
		calls func(id string) (map[string]float64, error)
	}{
		{"in a container, not recorded against recorded", func(id string) (map[string]float64, error) { return b.callsIn(b.wrapped(), id) }},
		{"on the host, no recording against one", b.callsOnHost},
	} {
		got := map[string]*pairs{}
		for round := range b.rounds {
			for k := range 2 {
				at := (round + k) % 2
				id := fmt.Sprintf("learnt-%d-%d", at, round)
				took, err := b.recorded(at == 1, id, place.calls)
				if err != nil {
					return err
				}
				for call, ns := range took {
					if got[call] == nil {
						got[call] = &pairs{}
					}
					got[call][at] = append(got[call][at], ns)
				}
			}
		}
		for _, call := range []string{"getppid", "openat"} {
			b.row(row{what: call + " " + place.what, of: *got[call], unit: "ns"})
		}
	}
	return nil
}

// recorded measures while the container of an id is recorded, or without.
func (b *bench) recorded(is bool, id string, calls func(string) (map[string]float64, error)) (map[string]float64, error) {
	if !is {
		return calls(id)
	}
	if err := b.learn("start", "--as", "bench", "calls-"+id); err != nil {
		return nil, err
	}
	took, err := calls(id)
	return took, errors.Join(err, b.learn("stop", "bench"))
}

func (b *bench) learn(args ...string) error {
	cmd := exec.CommandContext(b.ctx, b.watching.hatchctl, append([]string{"learn"}, args...)...)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+b.wrapped().policy)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("learn %v: %w: %s", args, err, said.Bytes())
	}
	return nil
}

// callsOnHost measures without a container.
func (b *bench) callsOnHost(id string) (map[string]float64, error) {
	id = "host-" + id
	if err := os.MkdirAll(b.path("bundles", id), 0o700); err != nil {
		return nil, err
	}
	out, err := b.output(id)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if _, err := b.timeTo(out, b.nothing(), b.path("rootfs", "bin", "inside"), "calls"); err != nil {
		return nil, err
	}
	return b.told(id)
}
