package door

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/control/apparmor"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// exec holds a further process to what its container has.
func (w World) exec(call *argv.Call) error {
	f, err := w.further(call)
	if err != nil {
		return err
	}
	if err := checkSpelling(call, f.rec.Decision.Runtime.Name); err != nil {
		return f.failed(err)
	}
	var args []string
	if file, ok := call.Value("process", "p"); ok && file != "" {
		args, err = f.processFile(file)
	} else {
		args, err = f.processFlags()
	}
	if err != nil {
		return f.failed(err)
	}
	if len(f.decision.Refusals) == 0 { // what is refused changes nothing of the caller's
		err = f.prepare()
	}
	if err != nil {
		return f.failed(err)
	}
	return f.finish(args)
}

// processFile judges the process that the engine describes in a file, and
// passes it on in memory.
func (f *further) processFile(file string) ([]string, error) {
	raw, err := bundle.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--process: %w", err)
	}
	before, err := bundle.Decode[specs.Process](raw)
	if err != nil {
		return nil, fmt.Errorf("--process: %w", err)
	}
	if err := within(f.rec.IDs, before.Value.User); err != nil {
		return nil, err
	}
	d := &f.decision
	d.SpecIn = digest(raw)
	if f.rec.Ceiling == nil { // complain mode, and create came to no decision
		return nil, nil
	}
	copied, err := bundle.Decode[specs.Process](raw)
	if err != nil {
		return nil, fmt.Errorf("--process: %w", err)
	}
	res, err := plan.Exec(f.rec.Ceiling, host.Limits()).Apply(&specs.Spec{Process: copied.Value})
	if err != nil {
		return nil, err
	}
	d.Changes = res.Changes
	d.Refusals = slices.Concat(unknownFields(f.rec.Ceiling, before.Unknown), res.Refusals)
	copied.Value.ApparmorProfile = f.labels(before.Value.ApparmorProfile, before.Value.SelinuxLabel)
	if len(d.Refusals) > 0 || d.Mode == policy.Complain {
		return nil, nil
	}
	after, err := before.With(copied.Value)
	if err != nil {
		return nil, err
	}
	if err := guard.CheckProcess(before.Raw, after.Raw); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	d.SpecOut = digest(after.Raw)
	low, err := f.firstFree()
	if err != nil {
		return nil, err
	}
	fd, err := bundle.Seal(after.Raw, low)
	if err != nil {
		return nil, err
	}
	return f.call.Edit(func(name, value string) (string, bool) {
		if name == "process" || name == "p" {
			return fmt.Sprintf("/proc/self/fd/%d", fd), true
		}
		return value, true
	}), nil
}

// labels refuses a process that would leave the container's LSM labels, and
// returns the AppArmor profile that it gets.
func (f *further) labels(asked, selinux string) string {
	profile, change, refusal := apparmor.Further(f.rec.Ceiling, f.rec.Labels.Apparmor, asked)
	if refusal == nil && profile != "" && profile != f.rec.Labels.Apparmor && unenforced(profile) {
		refusal = &control.Refusal{
			Control: policy.Apparmor, Field: "process.apparmorProfile", Reason: "the profile is not enforced",
			Policy: f.rec.Ceiling.Where("apparmor"), Remedy: "leave it out: the process then has the container's",
		}
	}
	if refusal != nil {
		f.decision.Refusals = append(f.decision.Refusals, refusal)
	}
	if change != nil {
		f.decision.Changes = append(f.decision.Changes, control.Attributed{Control: policy.Apparmor, Change: *change})
	}
	if selinux != "" && selinux != f.rec.Labels.SELinux {
		f.decision.Refusals = append(f.decision.Refusals, &control.Refusal{
			Control: policy.Privilege, Field: "process.selinuxLabel", Reason: "it would leave the label of the container",
			Policy: f.rec.Ceiling.Where("privilege"), Remedy: "leave it out: the process then has the container's",
		})
	}
	return profile
}

// firstFree is the lowest descriptor that runc does not pass on to the process
// (exec.go: --preserve-fds, and LISTEN_FDS of sd_listen_fds(3)).
func (f *further) firstFree() (int, error) {
	const most = 1 << 16
	low := 3
	for name, text := range map[string]string{"LISTEN_FDS": f.w.Getenv("LISTEN_FDS"), "--preserve-fds": first(f.call.Value("preserve-fds"))} {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > most {
			return 0, fmt.Errorf("%s: not a number of descriptors", name)
		}
		low += n
	}
	return low, nil
}

func first(value string, _ bool) string { return value }

// processFlags judges a process that is described by flags. runc takes the
// rest of it from the container's config.json.
func (f *further) processFlags() ([]string, error) {
	if f.rec.Ceiling == nil {
		return nil, nil
	}
	if err := f.sameSpec(); err != nil {
		return nil, err
	}
	for _, text := range f.call.Values("additional-gids", "g") {
		// runc would cut a larger number to 32 bits, and take another group.
		if _, err := strconv.ParseUint(text, 10, 32); err != nil {
			return nil, fmt.Errorf("--additional-gids: %w", errNumber)
		}
	}
	asked, _ := f.call.Value("apparmor")
	selinux, _ := f.call.Value("process-label")
	profile := f.labels(asked, selinux)
	return f.call.Edit(func(name, value string) (string, bool) {
		if name == "apparmor" {
			return profile, true
		}
		return f.flag(name, value)
	}), nil
}

// unenforced reports whether a host with AppArmor does not hold anybody to the
// profile.
func unenforced(profile string) bool {
	lsm := host.ProbeApparmor("/", profile)
	return lsm.Enabled && !lsm.Enforced(profile)
}

// flag is a flag of exec as it may be.
func (f *further) flag(name, value string) (string, bool) {
	ceiling := f.rec.Ceiling
	switch name {
	case "cap", "c":
		if !slices.Contains(ceiling.Capabilities.Max, capName(value)) {
			f.changed(policy.Capabilities, "--cap", value, "none", "the container does not have this capability")
			return "", false
		}
	case "no-new-privs":
		if value == "false" && ceiling.Privilege.NoNewPrivileges {
			f.changed(policy.Privilege, "--no-new-privs", "false", "true", "the container has it on")
			return "", false
		}
	case "additional-gids", "g":
		gid, err := strconv.ParseUint(value, 10, 32) // processFlags refused any other
		if err == nil && slices.Contains(ceiling.Privilege.DeniedGids, uint32(gid)) {
			f.changed(policy.Privilege, "--additional-gids", value, "none", "a group of the host that the profile takes away")
			return "", false
		}
	}
	return value, true
}

func (f *further) changed(name, field, before, after, reason string) {
	f.decision.Changes = append(f.decision.Changes, control.Attributed{
		Control: name, Change: control.Change{Field: field, Before: before, After: after, Reason: reason},
	})
}

func capName(s string) string {
	s = strings.ToUpper(s)
	if !strings.HasPrefix(s, "CAP_") {
		s = "CAP_" + s
	}
	return s
}
