package devices

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Rules holds resources.devices to the profile, for create and for update:
// what allows more than an admitted node goes, and all is denied before the
// first rule. Rules that deny stay.
func Rules(p *policy.Profile, r *specs.LinuxResources) []control.Change {
	var changes []control.Change
	kept := make([]specs.LinuxDeviceCgroup, 0, len(r.Devices)+1)
	opened := false
	for _, rule := range r.Devices {
		if !rule.Allow || allowed(p, rule) {
			kept = append(kept, rule)
			continue
		}
		if opensAll(rule) {
			// It opens the devices that the profile admits: nothing starts without
			// /dev/null.
			if !opened {
				kept = append(kept, openings(p)...)
			}
			opened = true
			changes = append(changes, taken(rule, "what the profile lists"))
			continue
		}
		changes = append(changes, taken(rule, "none"))
	}
	if len(kept) > 0 && !deniesAll(kept[0]) {
		deny := specs.LinuxDeviceCgroup{Access: "rwm"}
		kept = slices.Insert(kept, 0, deny)
		changes = append(changes, control.Change{
			Field: "linux.resources.devices", After: describe(deny), Reason: "what no rule names is denied",
		})
	}
	if len(changes) > 0 {
		r.Devices = kept
	}
	return changes
}

// taken is the change of a rule that opens more than the profile, with what
// would have admitted it.
func taken(r specs.LinuxDeviceCgroup, after string) control.Change {
	ch := control.Change{Field: "linux.resources.devices", Before: describe(r), After: after, Reason: reason(r)}
	kinds := []string{r.Type}
	if opensAll(r) { // whatever else it says
		kinds, r = []string{"c", "b"}, specs.LinuxDeviceCgroup{Access: "rwm"}
	}
	for _, typ := range kinds {
		ch.Grants = append(ch.Grants, control.Add("devices.allow", rule(typ, r.Major, r.Minor, r.Access)))
	}
	return ch
}

// rule is an entry of devices.allow. -1 is any number, as in the cgroup's own
// files.
func rule(typ string, major, minor *int64, access string) string {
	s := "{type: " + control.Quoted(typ)
	if major != nil && *major != -1 {
		s += fmt.Sprintf(", major: %d", *major)
	}
	if minor != nil && *minor != -1 {
		s += fmt.Sprintf(", minor: %d", *minor)
	}
	return s + ", access: " + control.Quoted(access) + "}"
}

// allowed knows the rules that open the default nodes and pseudoterminals.
func allowed(p *policy.Profile, r specs.LinuxDeviceCgroup) bool {
	if opensAll(r) { // whatever its numbers and its access
		return admitted(p, "c", nil, nil, "rwm") && admitted(p, "b", nil, nil, "rwm")
	}
	if admitted(p, r.Type, r.Major, r.Minor, r.Access) {
		return true
	}
	if r.Type != "c" || r.Major == nil {
		return false
	}
	if *r.Major == unix98 {
		return true
	}
	if r.Minor == nil {
		return false
	}
	for _, path := range defaults {
		if isDefault(path, r.Type, *r.Major, *r.Minor) {
			return true
		}
	}
	return false
}

// unix98 is the major number of pseudoterminals: 136 and no other is what
// devpts makes (devices.txt).
const unix98 = 136

var defaults = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/ptmx",
}

// opensAll: a rule without a type is for all devices.
func opensAll(r specs.LinuxDeviceCgroup) bool { return r.Allow && (r.Type == "" || r.Type == "a") }

// openings are the rules that open what every container has, and what the
// profile lists.
func openings(p *policy.Profile) []specs.LinuxDeviceCgroup {
	number := func(n int64) *int64 { return &n }
	all := []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Major: number(unix98), Access: "rwm"}}
	for _, n := range [][2]int64{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}} {
		all = append(all, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: number(n[0]), Minor: number(n[1]), Access: "rwm"})
	}
	for _, a := range p.Devices.Allow {
		all = append(all, specs.LinuxDeviceCgroup{Allow: true, Type: a.Type, Major: a.Major, Minor: a.Minor, Access: a.Access})
	}
	return all
}

func deniesAll(r specs.LinuxDeviceCgroup) bool {
	return !r.Allow && (r.Type == "" || r.Type == "a") && r.Major == nil && r.Minor == nil && (r.Access == "rwm" || r.Access == "")
}

func reason(r specs.LinuxDeviceCgroup) string {
	if r.Major == nil && r.Minor == nil {
		return "it opens every device of the host"
	}
	return "it opens a device of the host that the profile does not list"
}

func describe(r specs.LinuxDeviceCgroup) string {
	verb := "deny"
	if r.Allow {
		verb = "allow"
	}
	typ := r.Type
	if typ == "" {
		typ = "a"
	}
	return fmt.Sprintf("%s %s %s:%s %s", verb, typ, number(r.Major), number(r.Minor), r.Access)
}

func number(n *int64) string {
	if n == nil || *n == -1 {
		return "*"
	}
	return fmt.Sprint(*n)
}
