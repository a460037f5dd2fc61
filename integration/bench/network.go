package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// wires is a hook that stands for the one with which an engine wires a
// container.
const wires = "/bin/true"

// network measures what the network rules add: at start, which installs them in
// its own process, and in a run, where a process of ours does that as a hook.
// It is hatchdog both times, once with a profile that has none.
func (b *bench) network() error {
	real, err := filepath.EvalSymlinks(wires)
	if err != nil {
		return err
	}
	var sides [2]side
	for i, rules := range []string{"{default: allow, allow: [], deny: []}", "{deny: [inherited]}"} {
		file := b.path("noop", []string{"open.yaml", "held.yaml"}[i])
		text := b.base(b.runc) + "profile: wired\nprofiles:\n  wired: {extends: builtin/restricted, others: admit, userns: {mode: off}, hooks: {allow: [" + real + "]}, egress: " + rules + "}\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		sides[i] = side{[]string{"open", "held"}[i], b.hatchdog, file}
	}
	of, err := b.alternate(sides, func(s side, id string) (map[string]float64, error) {
		raw, err := b.asked("net-"+id, "/bin/true")
		if err != nil {
			return nil, err
		}
		var spec specs.Spec
		if err := json.Unmarshal(raw, &spec); err != nil {
			return nil, err
		}
		spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: wires}}}
		if raw, err = json.Marshal(&spec); err != nil {
			return nil, err
		}
		if err := b.bundle(id, raw); err != nil {
			return nil, err
		}
		ms, err := b.call(s, "run", "--bundle", b.path("bundles", id), "net-"+id)
		return map[string]float64{"run": ms}, err
	})
	if err != nil {
		return err
	}
	b.row(row{what: "run, no network rules against a hook's", of: *of["run"], unit: "ms"})
	started, err := b.alternate([2]side{b.open(), b.wrapped()}, func(s side, id string) (map[string]float64, error) {
		return b.live(s, "installs-"+id)
	})
	if err != nil {
		return err
	}
	b.row(row{what: "start, without network rules and with", of: *started["start"], unit: "ms", floor: b.floor})
	return nil
}
