package door

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/control/devices"
	"github.com/hatchdog/hatchdog/internal/control/resources"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// update holds new limits to the ceilings of the container.
func (w World) update(call *argv.Call) error {
	return w.hold(call, (*further).updateArgs, (*further).watchUpdate, func(*further) error { return nil })
}

// updateArgs judges the limits and returns the command line that names what they
// became.
func (f *further) updateArgs() ([]string, error) {
	if file := f.resources(); file != "" {
		return f.resourcesFile(file)
	}
	return f.resourcesFlags()
}

func (f *further) resources() string { return first(f.call.Value("resources", "r")) }

// watchUpdate records what update would have done. Where it has read what can be
// read once only, it returns the command line that names a copy.
func (f *further) watchUpdate() ([]string, error) {
	if f.rec.Ceiling == nil {
		return nil, nil // there is nothing to hold it against
	}
	file := f.resources()
	if file == "" {
		_, err := f.resourcesFlags()
		return nil, err
	}
	raw, once, err := f.readResources(file)
	var same []string
	if once != nil {
		var serr error
		if same, serr = f.sealResources(file, once); serr != nil {
			return nil, errors.Join(err, serr)
		}
	}
	if err == nil {
		_, err = f.judgeResources(raw)
	}
	return same, err
}

// limit judges resources in place.
func (f *further) limit(r *specs.LinuxResources) error {
	changes, err := resources.Update(f.rec.Ceiling, f.rec.Cgroup, r)
	refusals, other := control.Refusals(err)
	if other != nil {
		return other
	}
	for _, ch := range changes {
		f.changed(policy.Resources, ch.Field, ch.Before, ch.After, ch.Reason)
	}
	for _, ch := range devices.Rules(f.rec.Ceiling, r) {
		f.changed(policy.Devices, ch.Field, ch.Before, ch.After, ch.Reason)
	}
	f.decision.Refusals = append(f.decision.Refusals, refusals...)
	return nil
}

// resourcesFile judges the limits in a file, or on standard input.
func (f *further) resourcesFile(file string) ([]string, error) {
	raw, _, err := f.readResources(file)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	after, err := f.judgeResources(raw)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	return f.sealResources(file, after)
}

// sealResources puts limits where nobody can change them, and returns the
// command line that names them.
func (f *further) sealResources(file string, after []byte) ([]string, error) {
	if file == "-" {
		return f.call.Argv, bundle.SealStdin(after)
	}
	fd, err := bundle.Seal(after, 3)
	if err != nil {
		return nil, err
	}
	return f.call.Edit(func(name, value string) (string, bool) {
		if name == "resources" || name == "r" {
			return fmt.Sprintf("/proc/self/fd/%d", fd), true
		}
		return value, true
	}), nil
}

func (f *further) readResources(file string) (raw, once []byte, err error) {
	if file == "-" {
		return bundle.ReadValue(f.w.Stdin)
	}
	return bundle.ReadOnce(file)
}

// judgeResources returns the document as the low-level runtime is to have it.
func (f *further) judgeResources(raw []byte) ([]byte, error) {
	before, err := bundle.Decode[specs.LinuxResources](raw)
	if err != nil {
		return nil, err
	}
	f.decision.SpecIn = digest(raw)
	copied, err := bundle.Decode[specs.LinuxResources](raw)
	if err != nil {
		return nil, err
	}
	if err := f.limit(copied.Value); err != nil {
		return nil, err
	}
	f.decision.Refusals = append(f.decision.Refusals, unknownFields(f.rec.Ceiling, before.Unknown)...)
	if len(f.decision.Refusals) > 0 {
		return raw, nil
	}
	after, err := before.With(copied.Value)
	if err != nil {
		return nil, err
	}
	if err := guard.CheckResources(before.Raw, after.Raw); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	f.decision.SpecOut = digest(after.Raw)
	return after.Raw, nil
}

// errNumber names no value: the flag says enough.
var errNumber = errors.New("not a number that can be read")

// limitFlag is a flag of update that sets a limit with a ceiling.
type limitFlag struct {
	name  string
	bytes bool // a size, as in 512M
	get   func(*specs.LinuxResources) **int64
}

func limitFlags() []limitFlag {
	return []limitFlag{
		{"memory", true, func(r *specs.LinuxResources) **int64 { return &memory(r).Limit }},
		{"memory-reservation", true, func(r *specs.LinuxResources) **int64 { return &memory(r).Reservation }},
		{"memory-swap", true, func(r *specs.LinuxResources) **int64 { return &memory(r).Swap }},
		{"pids-limit", false, func(r *specs.LinuxResources) **int64 {
			if r.Pids == nil {
				r.Pids = &specs.LinuxPids{}
			}
			return &r.Pids.Limit
		}},
		{"cpu-quota", false, func(r *specs.LinuxResources) **int64 { return &cpu(r).Quota }},
		{"cpu-rt-runtime", false, func(r *specs.LinuxResources) **int64 { return &cpu(r).RealtimeRuntime }},
	}
}

type periodFlag struct {
	name string
	get  func(*specs.LinuxResources) **uint64
}

func periodFlags() []periodFlag {
	return []periodFlag{
		{"cpu-period", func(r *specs.LinuxResources) **uint64 { return &cpu(r).Period }},
		{"cpu-rt-period", func(r *specs.LinuxResources) **uint64 { return &cpu(r).RealtimePeriod }},
	}
}

func memory(r *specs.LinuxResources) *specs.LinuxMemory {
	if r.Memory == nil {
		r.Memory = &specs.LinuxMemory{}
	}
	return r.Memory
}

func cpu(r *specs.LinuxResources) *specs.LinuxCPU {
	if r.CPU == nil {
		r.CPU = &specs.LinuxCPU{}
	}
	return r.CPU
}

// resourcesFlags judges the limits that are given as flags: they are read into
// the form of the file, judged, and written back.
func (f *further) resourcesFlags() ([]string, error) {
	asked, err := f.readFlags()
	if err != nil {
		return nil, err
	}
	if err := f.limit(asked); err != nil {
		return nil, err
	}
	var known []string
	var extra []string
	values := map[string]string{}
	for _, l := range limitFlags() {
		known = append(known, l.name)
		if v := *l.get(asked); v != nil {
			values[l.name] = strconv.FormatInt(*v, 10)
		}
	}
	for _, p := range periodFlags() {
		known = append(known, p.name)
		if v := *p.get(asked); v != nil {
			values[p.name] = strconv.FormatUint(*v, 10)
		}
	}
	for _, name := range known {
		if v, set := values[name]; set {
			extra = append(extra, "--"+name, v)
		}
	}
	return f.call.Edit(func(name, value string) (string, bool) { return value, !slices.Contains(known, name) }, extra...), nil
}

func (f *further) readFlags() (*specs.LinuxResources, error) {
	r := &specs.LinuxResources{}
	for _, l := range limitFlags() {
		text, ok := f.call.Value(l.name)
		if !ok || text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil && l.bytes {
			n, err = units.RAMInBytes(text)
		}
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", l.name, errNumber)
		}
		*l.get(r) = &n
	}
	for _, p := range periodFlags() {
		text, ok := f.call.Value(p.name)
		if !ok || text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n > math.MaxInt64 {
			return nil, fmt.Errorf("--%s: %w", p.name, errNumber)
		}
		*p.get(r) = &n
	}
	return r, nil
}
