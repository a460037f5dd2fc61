package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The budget of DESIGN.md.
const (
	doorAdds = 2.0  // ms that create, and our other doors, may add
	passAdds = 1.5  // ms that a command may add which is passed through
	runRatio = 0.75 // of a whole run of Docker's spec, to plain runc's

	openRatio     = 0.93 // of a run without network rules
	complainRatio = 1.03 // of a run in complain mode
	burstRatio    = 1.0  // of starts two at a time
	mappedRatio   = 1.0  // of a run with a user namespace, to plain runc's without
	shimRatio     = 1.05 // of ctr run, to that with containerd's own shim

	createFloors = 2.0 // floors that create may add by itself
	passFloors   = 1.2 // floors that exec, and a command that is passed through, may add
)

// batches is how often the two sides take turns in the burst.
const batches = 5

// spec is what a side is given, so that the low-level runtime gets the same.
func (b *bench) spec(s side, id string, args ...string) ([]byte, error) {
	if s.program == b.runc {
		return b.tightened(id, args...)
	}
	return b.asked(id, args...)
}

// lifecycle measures each command in the life of one container.
func (b *bench) lifecycle() error {
	all, err := b.alternate([2]side{b.direct(), b.wrapped()}, b.live)
	if err != nil {
		return err
	}
	for _, what := range []string{"create", "start", "state", "exec", "kill", "delete"} {
		limit := passAdds
		if what == "create" || what == "exec" {
			limit = doorAdds
		}
		b.row(row{what: what, of: *all[what], unit: "ms", adds: limit, floor: b.floor})
	}
	return nil
}

func (b *bench) live(s side, id string) (map[string]float64, error) {
	spec, err := b.spec(s, id, "/bin/sleep", "1000")
	if err != nil {
		return nil, err
	}
	if err := b.bundle(id, spec); err != nil {
		return nil, err
	}
	process, err := b.process(id, spec)
	if err != nil {
		return nil, err
	}
	pid := b.path("bundles", id, "pid")
	took := map[string]float64{}
	for _, args := range [][]string{
		{"create", "--bundle", b.path("bundles", id), "--pid-file", pid, id},
		{"start", id},
		{"state", id},
		{"exec", "--process", process, id},
		{"kill", id, "KILL"},
		{"delete", id},
	} {
		if took[args[0]], err = b.call(s, args...); err != nil {
			return nil, err
		}
		if args[0] == "kill" {
			if err := reap(pid); err != nil {
				return nil, err
			}
		}
	}
	return took, nil
}

// reap waits for a container that was killed, as its shim does.
func reap(pidFile string) error {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	_, err = unix.Wait4(pid, nil, 0, nil)
	return err
}

// runs measures a container from its start to its end.
func (b *bench) runs() error {
	run := func(pick func(side, string, ...string) ([]byte, error)) func(side, string) (map[string]float64, error) {
		return func(s side, id string) (map[string]float64, error) {
			spec, err := pick(s, "run-"+id, "/bin/true")
			if err != nil {
				return nil, err
			}
			if err := b.bundle(id, spec); err != nil {
				return nil, err
			}
			ms, err := b.call(s, "run", "--bundle", b.path("bundles", id), "run-"+id)
			return map[string]float64{"run": ms}, err
		}
	}
	sides := [2]side{b.direct(), b.wrapped()}
	same, err := b.alternate(sides, run(b.spec))
	if err != nil {
		return err
	}
	b.row(row{what: "run, the same tightened spec", of: *same["run"], unit: "ms", adds: doorAdds})
	plain, err := b.alternate(sides, run(func(_ side, id string, args ...string) ([]byte, error) { return b.asked(id, args...) }))
	if err != nil {
		return err
	}
	b.row(row{what: "run, Docker's spec, plain against restricted", of: *plain["run"], unit: "ms", ratio: runRatio})
	for _, c := range []struct {
		what string
		with side
		most float64
	}{
		{"run, Docker's spec, without network rules", b.open(), openRatio},
		{"run, Docker's spec, complain mode", b.complains(), complainRatio},
	} {
		of, err := b.alternate([2]side{b.direct(), c.with}, run(func(_ side, id string, args ...string) ([]byte, error) { return b.asked(id, args...) }))
		if err != nil {
			return err
		}
		b.row(row{what: c.what, of: *of["run"], unit: "ms", ratio: c.most})
	}
	return nil
}

// burst starts many containers, two at a time.
func (b *bench) burst() error {
	b.crowded = true
	defer func() { b.crowded = false }()
	var of pairs
	each := b.starts / batches
	for batch := range batches {
		for k, s := range [2]side{b.direct(), b.wrapped()} {
			ids := make([]string, each)
			for i := range ids {
				ids[i] = fmt.Sprintf("burst-%s-%d-%d", s.name, batch, i)
				spec, err := b.spec(s, ids[i], "/bin/true")
				if err != nil {
					return err
				}
				if err := b.bundle(ids[i], spec); err != nil {
					return err
				}
			}
			begin := time.Now()
			if err := b.twoAtATime(s, ids); err != nil {
				return err
			}
			of[k] = append(of[k], float64(time.Since(begin).Microseconds())/1000/float64(each))
		}
	}
	b.row(row{what: fmt.Sprintf("%d starts, 2 at a time, each", each*batches), of: of, unit: "ms", ratio: burstRatio})
	return nil
}

func (b *bench) twoAtATime(s side, ids []string) error {
	return inTwos(ids, func(id string) error {
		_, err := b.call(s, "run", "--bundle", b.path("bundles", id), id)
		return err
	})
}

// inTwos calls f for each id, two at a time, until one fails.
func inTwos(ids []string, f func(id string) error) error {
	var wg sync.WaitGroup
	var errs [2]error
	for worker := range 2 {
		wg.Go(func() {
			for i := worker; i < len(ids) && errs[worker] == nil; i += 2 {
				errs[worker] = f(ids[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}
