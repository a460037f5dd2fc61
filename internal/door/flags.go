package door

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

var errOneDash = errors.New("crun reads each letter behind one dash as a flag of its own; write it with two dashes")

// checkSpelling refuses what the low-level runtime would read otherwise than
// we do.
func checkSpelling(call *argv.Call, runtime string) error {
	if arg := call.OneDash(); arg != "" && runtime == "crun" {
		return fmt.Errorf("%s: %w", arg, errOneDash)
	}
	return nil
}

// flagRefusals judges what the flags of create, run and restore ask for around
// the spec. call is nil for a dry run.
func flagRefusals(p *policy.Profile, call *argv.Call) []*control.Refusal {
	if call == nil {
		return nil
	}
	var all []*control.Refusal
	refuse := func(field, reason, key, remedy string, grants ...control.Grant) {
		r := &control.Refusal{Control: "flags", Field: field, Reason: reason, Policy: p.Where(key), Remedy: remedy}
		all = append(all, r.Granting(grants...))
	}
	if call.Bool("no-pivot") {
		refuse("--no-pivot", "the host's root would lie below the container's, one chroot away", "rootfs", "leave it out; it is for hosts that run from a ramdisk")
	}
	if call.Door != argv.Restore {
		return all
	}
	if p.Restore != policy.RestoreAdmit {
		refuse("restore", "a checkpoint holds the capabilities, the seccomp filter and the user of its processes, and gives them back whatever the spec says",
			"restore", "start the container anew, or, if you trust its checkpoints,", control.Set("restore", string(policy.RestoreAdmit)))
	}
	if call.IsSet("lsm-profile", "lsm-mount-context") {
		refuse("--lsm-profile", "it would leave the label that the spec gives", "restore", "leave it out")
	}
	if mode, _ := call.Value("manage-cgroups-mode"); !slices.Contains([]string{"", "soft", "ignore"}, mode) {
		refuse("--manage-cgroups-mode", "the limits would be the checkpoint's, not the spec's", "restore", "leave it out")
	}
	return all
}
