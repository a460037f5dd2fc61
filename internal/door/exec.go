package door

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	json "github.com/go-json-experiment/json/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/control/apparmor"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// exec holds a further process to what its container has. However it is
// described, the low-level runtime gets it as one document that nobody can
// change.
func (w World) exec(call *argv.Call) error {
	lowlevel.Hasten()
	return w.hold(call, (*further).execArgs, (*further).watchExec, (*further).prepare)
}

// execArgs judges the process and returns the command line that names what it
// became.
func (f *further) execArgs() ([]string, error) {
	if group := first(f.call.Value("cgroup")); leavesGroup(group) {
		return nil, errGroup
	}
	doc, _, err := f.asked()
	if err != nil {
		return nil, err
	}
	after, err := f.judgeProcess(doc)
	if err != nil || after == nil {
		return nil, err
	}
	return f.seal(after)
}

var errGroup = errors.New("--cgroup: it leads out of the container's control group, and its limits would not hold the process; name a group below it")

// leavesGroup reports whether a group, as PATH or CONTROLLERS:PATH, is not below the
// container's. runc refuses it; crun joins the words.
func leavesGroup(group string) bool {
	return slices.Contains(strings.FieldsFunc(group, func(c rune) bool { return c == '/' || c == ':' }), "..")
}

// watchExec records what execArgs would have done. Where it has read what can
// be read once only, it returns the command line that names a copy.
func (f *further) watchExec() ([]string, error) {
	if f.rec.Ceiling == nil {
		return nil, nil // there is nothing to hold it against
	}
	doc, raw, err := f.asked()
	var same []string
	if raw != nil {
		var serr error
		if same, serr = f.seal(raw); serr != nil {
			return nil, errors.Join(err, serr)
		}
	}
	if err == nil {
		_, err = f.judgeProcess(doc)
	}
	return same, err
}

func (f *further) processFile() (string, bool) {
	file, ok := f.call.Value("process", "p")
	return file, ok && file != ""
}

// asked is the process that is asked for. once is what was read where that can
// be read once only.
func (f *further) asked() (doc *bundle.Document[specs.Process], once []byte, err error) {
	file, ok := f.processFile()
	if !ok {
		doc, err = f.flagsProcess()
		return doc, nil, err
	}
	raw, once, err := bundle.ReadOnce(file)
	if err == nil {
		doc, err = bundle.Decode[specs.Process](raw)
	}
	if err != nil {
		return nil, once, fmt.Errorf("--process: %w", err)
	}
	return doc, once, nil
}

// judgeProcess returns the document as the low-level runtime is to have it, nil
// where it is refused.
func (f *further) judgeProcess(before *bundle.Document[specs.Process]) ([]byte, error) {
	if err := within(f.rec.IDs, before.Value.User); err != nil {
		return nil, err
	}
	f.user = before.Value.User.UID
	d := &f.decision
	d.SpecIn = digest(before.Raw)
	copied, err := bundle.Decode[specs.Process](before.Raw)
	if err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	res, err := plan.Exec(f.rec.Ceiling, host.Limits()).Apply(&specs.Spec{Process: copied.Value})
	if err != nil {
		return nil, err
	}
	d.Changes = res.Changes
	d.Refusals = slices.Concat(unknownFields(f.rec.Ceiling, before.Unknown), res.Refusals)
	copied.Value.ApparmorProfile = f.labels(before.Value.ApparmorProfile, before.Value.SelinuxLabel)
	if len(d.Refusals) > 0 {
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
	return after.Raw, nil
}

// seal puts a process into memory that nobody can change, and returns the
// command line that names it.
func (f *further) seal(process []byte) ([]string, error) {
	low, err := f.firstFree()
	if err != nil {
		return nil, err
	}
	fd, err := bundle.Seal(process, low)
	if err != nil {
		return nil, err
	}
	name := handle(fd)
	if _, ok := f.processFile(); !ok {
		return f.asFile(name), nil
	}
	return f.call.Edit(func(flag, value string) (string, bool) {
		if flag == "process" || flag == "p" {
			return name, true
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

// unenforced reports whether a host with AppArmor does not hold anybody to the
// profile.
func unenforced(profile string) bool {
	lsm := host.ProbeApparmor("/", profile)
	return lsm.Enabled && !lsm.Enforced(profile)
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

func (f *further) changed(name, field, before, after, reason string) {
	f.decision.Changes = append(f.decision.Changes, control.Attributed{
		Control: name, Change: control.Change{Field: field, Before: before, After: after, Reason: reason},
	})
}

// encodeProcess makes a document of a process.
func encodeProcess(p *specs.Process) (*bundle.Document[specs.Process], error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	return bundle.Decode[specs.Process](raw)
}
