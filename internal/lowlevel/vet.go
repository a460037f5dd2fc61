package lowlevel

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Errors of Vet.
var (
	ErrOld     = errors.New("older than the policy's runtime.minVersion")
	ErrEscape  = errors.New("has a known way out of the container")
	ErrUnknown = errors.New("not known to hatchdog")
)

// escape is a way out of the container that was mended. fixed lists the first
// good version of each line that got the fix, newest first.
type escape struct {
	name  string
	cve   string
	gives string // what it gives a container
	fixed []string
}

// The advisories of opencontainers/runc and containers/crun.
func escapes() []escape {
	mended2025 := []string{"1.4.0-rc3", "1.3.3", "1.2.8"}
	return []escape{
		{"runc", "CVE-2019-5736", "a process of the container overwrites the host's runc", []string{"1.0.0-rc7"}},
		{"runc", "CVE-2019-16884", "an image with a volume at /proc runs without its AppArmor profile", []string{"1.0.0-rc9"}},
		{"runc", "CVE-2019-19921", "a volume at /proc takes masks and LSM labels away", []string{"1.0.0-rc10"}},
		{"runc", "CVE-2021-30465", "a link on a shared volume mounts the host's folders", []string{"1.0.0-rc95"}},
		{"runc", "CVE-2023-27561", "a link at /proc takes masks and LSM labels away", []string{"1.1.5"}},
		{"runc", "CVE-2023-28642", "a link at /proc takes LSM labels away", []string{"1.1.5"}},
		{"runc", "CVE-2024-21626", "a descriptor of the host's file system stays open", []string{"1.1.12"}},
		{"runc", "CVE-2024-45310", "empty files and folders are made on the host", []string{"1.2.0-rc3", "1.1.14"}},
		{"runc", "CVE-2025-31133", "a masked path becomes a writable file of /proc", mended2025},
		{"runc", "CVE-2025-52565", "/dev/console becomes a writable file of /proc", mended2025},
		{"runc", "CVE-2025-52881", "what runc writes to /proc goes elsewhere, around LSM labels too", mended2025},
		{"crun", "CVE-2022-27650", "exec gives inheritable capabilities", []string{"1.4.4"}},
		{"crun", "CVE-2025-24965", "the krun handler writes files of the host", []string{"1.20"}},
	}
}

// unknownOpen stands in a policy for what hatchdog knows nothing of.
const unknownOpen = "unknown"

// Vet says whether the policy lets this low-level runtime be used. A version
// that has something open passes where the policy accepts it and names all of
// that. hatchdog works none of it around.
func Vet(rt host.Runtime, r policy.Runtime) error {
	named := rt.Name + " " + rt.Version
	open, err := findings(rt, r.MinVersion)
	if err == nil {
		return nil
	}
	unnamed := slices.Clone(open)
	for _, a := range r.Accept {
		if a.Version == named {
			unnamed = slices.DeleteFunc(unnamed, func(o string) bool { return slices.Contains(a.Open, o) })
			if len(unnamed) == 0 { // for one that is only old there is nothing to name
				return nil
			}
		}
	}
	err = fmt.Errorf("low-level runtime %q: %w", named, err)
	if len(unnamed) < len(open) {
		err = fmt.Errorf("%w; the policy accepts it without naming %s", err, strings.Join(unnamed, ", "))
	}
	return fmt.Errorf("%w; update it, or accept what stays open: runtime: {accept: [{version: %q, because: WHY, open: [%s]}]} in the policy",
		err, named, strings.Join(open, ", "))
}

// findings is what is wrong with a low-level runtime, and the names of what is
// open with it.
func findings(rt host.Runtime, least string) (open []string, err error) {
	if rt.Name != "runc" && rt.Name != "crun" {
		return []string{unknownOpen}, ErrUnknown
	}
	have, err := parse(rt.Version)
	if err != nil {
		return []string{unknownOpen}, err
	}
	var told []string
	for _, e := range escapes() {
		if e.name == rt.Name && !e.mendedIn(have) {
			open, told = append(open, e.cve), append(told, e.cve+" ("+e.gives+")")
		}
	}
	if least != "" {
		wanted, err := parse(least)
		if err != nil {
			return []string{unknownOpen}, fmt.Errorf("runtime.minVersion: %w", err)
		}
		if have.less(wanted) {
			return open, fmt.Errorf("%w %s", ErrOld, least)
		}
	}
	if len(open) > 0 {
		return open, fmt.Errorf("%w: %s", ErrEscape, strings.Join(told, ", "))
	}
	return nil, nil
}

// beforeFeatures says whether a version has no features command yet (the change
// logs of runc 1.1.0 and crun 1.8.6). Each of them has a known escape, so it is
// used only where the policy accepts it by name.
func beforeFeatures(rt host.Runtime) bool {
	first, known := map[string]string{"runc": "1.1.0-rc1", "crun": "1.8.6"}[rt.Name]
	if !known {
		return false
	}
	have, err := parse(rt.Version)
	if err != nil {
		return false
	}
	least, err := parse(first)
	return err == nil && have.less(least)
}

// mendedIn: a version is good when it is not older than the fix of its own
// line, or than the newest fix.
func (e escape) mendedIn(have version) bool {
	for i, text := range e.fixed {
		fix, err := parse(text)
		if err != nil {
			return false
		}
		sameLine := have.numbers[0] == fix.numbers[0] && have.numbers[1] == fix.numbers[1]
		if !have.less(fix) && (i == 0 || sameLine) {
			return true
		}
	}
	return false
}

// version is MAJOR.MINOR.PATCH and the number of a release candidate. What
// stands behind + says who built it.
type version struct {
	numbers   [3]int
	candidate int // 0 is a release
}

var errVersion = errors.New("its version cannot be read")

func parse(text string) (version, error) {
	text = strings.TrimPrefix(text, "v")
	text, _, _ = strings.Cut(text, "+")
	numbers, candidate, isCandidate := strings.Cut(text, "-")
	parts := strings.Split(numbers, ".")
	var v version
	if len(parts) < 2 || len(parts) > 3 {
		return v, errVersion
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return v, errVersion
		}
		v.numbers[i] = n
	}
	if !isCandidate {
		return v, nil
	}
	// "rc3", "rc.3", "rc10-dev"; a git describe ("12-gabcdef") is a later commit
	// of an unknown line.
	text, ok := strings.CutPrefix(candidate, "rc")
	if !ok {
		return v, errVersion
	}
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "."), "-")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return v, errVersion
	}
	v.candidate = n
	return v, nil
}

func (v version) less(o version) bool {
	if c := slices.Compare(v.numbers[:], o.numbers[:]); c != 0 {
		return c < 0
	}
	switch {
	case v.candidate == o.candidate, v.candidate == 0:
		return false
	case o.candidate == 0:
		return true
	}
	return v.candidate < o.candidate
}
