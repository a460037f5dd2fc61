package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Apparmor tells what AppArmor enforces on this host.
type Apparmor struct {
	// Enabled is true where the kernel has AppArmor switched on.
	Enabled bool `json:"enabled"`
	// Own is the profile that hatchdog itself runs under, and hands on where a
	// spec names none; empty where nothing confines it.
	Own string `json:"own,omitempty"`
	// Modes maps each profile that was asked about to its mode, if it is loaded.
	Modes map[string]string `json:"modes,omitempty"`
	// Unloadable maps a profile to why loading it failed.
	Unloadable map[string]string `json:"unloadable,omitempty"`
	// Err is set where one of the above could not be told.
	Err string `json:"err,omitempty"`
}

// The places of AppArmor in the kernel's file systems.
const (
	apparmorSwitch   = "sys/module/apparmor/parameters/enabled"
	apparmorProfiles = "sys/kernel/security/apparmor/profiles"
)

// Enforced reports whether a profile is loaded and denies what it does not
// grant.
func (a Apparmor) Enforced(profile string) bool {
	mode := a.Modes[profile]
	return a.Err == "" && (mode == "enforce" || mode == "kill")
}

// ProbeApparmor looks at the kernel below root, which is / but in tests, for the
// profiles that are named.
func ProbeApparmor(root string, names ...string) Apparmor {
	var a Apparmor
	on, err := os.ReadFile(filepath.Join(root, apparmorSwitch))
	if errors.Is(err, fs.ErrNotExist) {
		// No such module, unless there is no sysfs to tell.
		if _, err := os.Stat(filepath.Join(root, "sys/module")); err != nil {
			a.Err = "whether the kernel has it: " + err.Error()
		}
		return a
	}
	if err != nil {
		a.Err = "whether it is on: " + err.Error()
		return a
	}
	switch strings.TrimSpace(string(on)) {
	case "N":
		return a
	case "Y":
	default:
		a.Err = apparmorSwitch + " says neither Y nor N"
		return a
	}
	a.Enabled = true
	if err := a.read(root, names); err != nil {
		a.Err = err.Error()
	}
	return a
}

func (a *Apparmor) read(root string, names []string) error {
	list, err := os.ReadFile(filepath.Join(root, apparmorProfiles))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the list of its profiles is not there; is securityfs mounted on /sys/kernel/security? %w", err)
	}
	if err != nil {
		return fmt.Errorf("the list of its profiles: %w", err)
	}
	a.Modes = profileModes(string(list), names)
	own, err := ownLabel(filepath.Join(root, "proc/self"))
	if err != nil {
		return fmt.Errorf("the profile of hatchdog itself: %w", err)
	}
	a.Own = confinement(own)
	return nil
}

// profileModes finds names among "NAME (MODE)" lines. A name may hold spaces
// and brackets.
func profileModes(list string, names []string) map[string]string {
	modes := map[string]string{}
	for line := range strings.Lines(list) {
		if name, mode, ok := nameMode(line); ok && slices.Contains(names, name) {
			modes[name] = mode
		}
	}
	return modes
}

func nameMode(line string) (name, mode string, ok bool) {
	line = strings.TrimRight(line, "\n\x00")
	i := strings.LastIndex(line, " (")
	if i < 0 || !strings.HasSuffix(line, ")") {
		return line, "", false
	}
	return line[:i], line[i+2 : len(line)-1], true
}

// confinement is the profile of a label as /proc shows it; empty for none. A
// profile in mode unconfined, as distributions give runc, holds nothing back.
func confinement(label string) string {
	name, mode, _ := nameMode(label)
	if name == "unconfined" || mode == "unconfined" {
		return ""
	}
	return name
}

// Confined lists the processes that run under a profile, alone or in a stack.
func Confined(root, profile string) ([]int, error) {
	dirs, err := os.ReadDir(filepath.Join(root, "proc"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		label, err := ownLabel(filepath.Join(root, "proc", d.Name()))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(strings.Split(confinement(label), "//&"), profile) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// ownLabel reads the label of the process whose folder of procfs is dir.
func ownLabel(dir string) (string, error) {
	label, err := os.ReadFile(filepath.Join(dir, "attr/apparmor/current"))
	if errors.Is(err, fs.ErrNotExist) {
		label, err = os.ReadFile(filepath.Join(dir, "attr/current")) // before Linux 5.8
	}
	return string(label), err
}
