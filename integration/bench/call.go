package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// side is one of the two that are compared.
type side struct {
	name    string
	program string
	policy  string
}

func (b *bench) direct() side { return side{"runc", b.runc, ""} }

func (b *bench) wrapped() side { return side{"hatchdog", b.hatchdog, b.path("policy.yaml")} }

// alone is hatchdog in front of a low-level runtime that does nothing, and
// nothing that runtime.
func (b *bench) alone() side { return side{"alone", b.hatchdog, b.path("noop/policy.yaml")} }

func (b *bench) nothing() side { return side{"nothing", b.path("noop/runc"), ""} }

// least is a Go program that does nothing but become that runtime: the floor of
// what a wrapper in Go can take.
func (b *bench) least() side { return side{"least", b.floorProgram, ""} }

// complains is hatchdog that only complains.
func (b *bench) complains() side { return side{"complains", b.hatchdog, b.path("complain.yaml")} }

// open is hatchdog without network rules and user namespaces.
func (b *bench) open() side { return side{"open", b.hatchdog, b.path("open.yaml")} }

// args is a command line as containerd's shim writes it.
func (b *bench) args(args ...string) []string {
	return append([]string{"--root", b.path("root"), "--log", b.path("log.json"), "--log-format", "json"}, args...)
}

// pause is what passes before a call that puts a process into control groups, as
// between two real starts. Right behind another one the kernel spares it a wait
// (docs/performance.md), and whoever comes first looks fast.
const pause = 40 * time.Millisecond

// call runs one command to its end and returns how long that took, in ms.
func (b *bench) call(s side, args ...string) (float64, error) {
	if slices.Contains([]string{"create", "run", "exec"}, args[0]) && !b.crowded {
		time.Sleep(pause)
	}
	return b.time(s, s.program, b.args(args...)...)
}

func (b *bench) time(s side, program string, args ...string) (float64, error) {
	return b.timeTo(nil, s, program, args...)
}

// timeTo gives the command's output, and the container's, to a file.
func (b *bench) timeTo(out *os.File, s side, program string, args ...string) (float64, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, fmt.Errorf("interrupted: %w", err)
	}
	// A container's output is a file: it must not hold up the end of create.
	errs, err := os.OpenFile(b.path("stderr"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer errs.Close()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+s.policy)
	if s != b.onCrun() { // hatchdog gives crun no file as a stream: crun would give it to the container
		cmd.Stderr = errs
	}
	if out != nil {
		cmd.Stdout = out
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // Ctrl-C is ours alone
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(b.path("stderr"))
		return 0, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, said)
	}
	took := time.Since(begin)
	if b.busy {
		took = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return float64(took.Microseconds()) / 1000, nil
}

// alternate calls f for both sides as often as there are rounds, and lets
// another side be the first each time.
func (b *bench) alternate(sides [2]side, f func(side, string) (map[string]float64, error)) (map[string]*pairs, error) {
	all := map[string]*pairs{}
	for round := range b.rounds {
		for k := range 2 {
			at := (round + k) % 2
			got, err := f(sides[at], fmt.Sprintf("%s-%d", sides[at].name, round))
			if err != nil {
				return nil, err
			}
			for what, ms := range got {
				if all[what] == nil {
					all[what] = &pairs{}
				}
				all[what][at] = append(all[what][at], ms)
			}
		}
	}
	return all, nil
}
