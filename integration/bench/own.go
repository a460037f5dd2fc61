package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// own measures what hatchdog itself takes: before a low-level runtime that does
// nothing, against that one called directly.
func (b *bench) own() error {
	floor, err := b.alternate([2]side{b.nothing(), b.least()}, b.bare)
	if err != nil {
		return err
	}
	b.row(row{what: "a Go program that only execs, with a runtime that does nothing", of: *floor["create"], unit: "ms"})
	b.floor = b.rows[len(b.rows)-1].difference()
	all, err := b.alternate([2]side{b.nothing(), b.alone()}, b.bare)
	if err != nil {
		return err
	}
	for _, what := range bareCalls {
		limit := passAdds
		if what == "create" || what == "exec" {
			limit = doorAdds
		}
		b.row(row{what: what + ", with a runtime that does nothing", of: *all[what], unit: "ms", adds: limit, floor: b.floor})
	}
	return nil
}

// processor measures the same in the time that the processors worked, which
// depends less on what else the machine does.
func (b *bench) processor() error {
	b.busy, b.crowded = true, true
	defer func() { b.busy, b.crowded = false, false }()
	floor, err := b.alternate([2]side{b.nothing(), b.least()}, b.bare)
	if err != nil {
		return err
	}
	least := row{what: "a Go program that only execs, with a runtime that does nothing, processor time", of: *floor["create"], unit: "ms"}
	b.row(least)
	all, err := b.alternate([2]side{b.nothing(), b.alone()}, b.bare)
	if err != nil {
		return err
	}
	for _, what := range bareCalls {
		most := passFloors
		if what == "create" {
			most = createFloors
		}
		b.row(row{what: what + ", with a runtime that does nothing, processor time", of: *all[what], unit: "ms", floor: least.difference(), floors: most})
	}
	return nil
}

// compare holds another build of hatchdog against this one, both by themselves.
func (b *bench) compare() error {
	b.busy, b.crowded = true, true
	if err := b.prepareUserns(); err != nil {
		return err
	}
	for _, policy := range []string{"noop/policy.yaml", "noop/userns.yaml"} {
		all, err := b.alternate([2]side{{"before", b.before, b.path(policy)}, {"after", b.hatchdog, b.path(policy)}}, b.bare)
		if err != nil {
			return err
		}
		for _, what := range bareCalls {
			b.row(row{what: what + " by itself, processor time, " + policy, of: *all[what], unit: "ms"})
		}
	}
	return nil
}

var bareCalls = []string{"create", "exec", "state", "delete"}

// bare makes the calls of a container's life that can be made without one.
func (b *bench) bare(s side, id string) (map[string]float64, error) {
	spec, err := b.asked(id, "/bin/true")
	if s.policy == b.path("noop/userns.yaml") {
		spec, err = b.shared(id)
	}
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
	took := map[string]float64{}
	for _, args := range [][]string{
		{"create", "--bundle", b.path("bundles", id), id}, {"state", id}, {"exec", "--process", process, id}, {"delete", id},
	} {
		if took[args[0]], err = b.call(s, args...); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// memory is the most that create holds: hatchdog before it hands over, and the
// low-level runtime after that. Nothing of hatchdog is resident then.
func (b *bench) memory() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	all, err := b.alternate([2]side{b.direct(), b.alone()}, func(s side, id string) (map[string]float64, error) {
		id = "mem-" + id
		spec, err := b.asked(id, "/bin/true")
		if err != nil {
			return nil, err
		}
		if err := b.bundle(id, spec); err != nil {
			return nil, err
		}
		out := b.path("rss")
		args := append([]string{peak, out, s.program}, b.args("create", "--bundle", b.path("bundles", id), id)...)
		if _, err := b.time(s, self, args...); err != nil {
			return nil, err
		}
		if _, err := b.call(s, "delete", "--force", id); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(out)
		if err != nil {
			return nil, err
		}
		kib, err := strconv.ParseFloat(string(text), 64)
		return map[string]float64{"rss": kib / 1024}, err
	})
	if err != nil {
		return err
	}
	b.row(row{what: "peak memory of create, each by itself", of: *all["rss"], unit: "MiB", ratio: 1})
	return nil
}

// peak is the first argument of this program where it only starts another one
// and writes the most memory that it held into a file, in KiB. Until it execs, a
// new process counts its parent's memory as its own: the parent must be small.
const peak = "peak-of"

func writePeak(file, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("no resource usage")
	}
	return os.WriteFile(file, []byte(strconv.FormatInt(used.Maxrss, 10)), 0o600)
}

func (b *bench) sizes() error { return b.sizesOf("size of the program", 0, b.runc, b.hatchdog) }

func (b *bench) sizesOf(what string, ratio float64, files ...string) error {
	var of pairs
	for i, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		of[i] = []float64{float64(info.Size()) / (1 << 20)}
	}
	b.row(row{what: what, of: of, unit: "MiB", ratio: ratio})
	return nil
}
