package why

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// device: the mount, or the rules of the control group.
func (c *Container) device(what string, p *inside.Place, use Use) *Finding {
	n := p.Node
	if !n.Device() || use == Execute {
		return nil
	}
	if n.Mount != nil && option(n.Mount.Options, "nodev") {
		at := path.Clean(n.Mount.Mountpoint)
		f := c.byOption(what, at, "nodev", "device nodes of "+at+" are not opened (nodev)")
		return &f
	}
	if c.Given == nil {
		return nil
	}
	kind, access := "c", "r"
	major, minor, block := n.Number()
	if block {
		kind = "b"
	}
	if use == Write {
		access = "w"
	}
	if c.Given.Devices == nil || admits(c.Given.Devices, kind, major, minor, access) {
		return nil
	}
	number := fmt.Sprintf("%s %d:%d", kind, major, minor)
	var f Finding
	if c.Asked != nil && c.Asked.Linux != nil && c.Asked.Linux.Resources != nil && admits(c.Asked.Linux.Resources.Devices, kind, major, minor, access) {
		rule := fmt.Sprintf("{type: %s, major: %d, minor: %d, access: rwm}", kind, major, minor)
		f = hatchdog(what, "the control group lets nobody open "+number+"; the engine asked for it, and the profile does not list it", c.where("devices.allow"), control.Add("devices.allow", rule)).lifts(inProfile(func(p *policy.Profile) bool {
			return slices.ContainsFunc(p.Devices.Allow, func(r policy.DeviceRule) bool {
				return r.Type == kind && matches(r.Major, major) && matches(r.Minor, minor)
			})
		}))
	} else {
		f = other(what, LayerRequest, "the control group lets nobody open "+number+", and the engine did not ask for it").remedy("docker run --device")
	}
	return &f
}

// admits reads rules as the low-level runtime does: the last that matches counts.
func admits(rules []specs.LinuxDeviceCgroup, kind string, major, minor int64, access string) bool {
	allowed := false
	for _, r := range rules {
		all := r.Type == "" || r.Type == "a"
		if !all && r.Type != kind || !matches(r.Major, major) || !matches(r.Minor, minor) {
			continue
		}
		if all && r.Access == "" || strings.Contains(r.Access, access) {
			allowed = r.Allow
		}
	}
	return allowed
}

func matches(rule *int64, number int64) bool { return rule == nil || *rule < 0 || *rule == number }

// Started is what the kernel and the dynamic linker find when a file is executed.
type Started struct {
	Program *inside.Program
	Err     error
	Foreign bool     // of another machine
	Missing string   // its interpreter is not there
	Refused *Finding // why its interpreter is not started
	Unfound string   // env(1) is asked for it, and it is in no directory of PATH
	Library string   // is not there
	Caps    inside.FileCaps
	// Others is true where the host starts programs of other forms too.
	Others bool
}

// Starts says why a file that may be executed does not start, or starts without
// what its owner's bit would give.
func (c *Container) Starts(p *inside.Place, s Started) *Finding {
	what := string(Execute) + " " + p.Asked
	var f Finding
	switch {
	case s.Err != nil:
		f = undetermined(what, "the program cannot be read: "+s.Err.Error())
	case s.Others && (s.Program.Kind == "" || s.Foreign):
		f = undetermined(what, "the host starts programs of other forms and processors (binfmt_misc), this one perhaps")
	case s.Program.Kind == "":
		f = other(what, LayerFile, "it is neither a program nor a script with #! (ENOEXEC; a shell runs it all the same)")
	case s.Foreign:
		f = other(what, LayerImage, "it is a program for another kind of processor ("+s.Program.Machine.String()+")")
	case s.Program.Machine == secondMachine() && c.otherArch(what) != nil:
		return c.otherArch(what)
	case s.Missing != "":
		f = other(what, LayerImage, "it needs "+s.Missing+", which is not there: the kernel says that the file itself is missing")
		if strings.HasSuffix(s.Missing, "\r") {
			f = f.remedy("the first line of the script ends as in DOS, and the carriage return is taken for a part of the name: write it anew with a line feed alone")
		}
	case s.Refused != nil:
		f = *s.Refused
		f.What, f.Why = what, "its interpreter "+s.Program.Interpreter+" is not started: "+f.Why
	case s.Unfound != "":
		f = other(what, LayerImage, "it has env look for "+s.Unfound+", which is in no directory of the container's PATH")
	case s.Library != "":
		f = other(what, LayerImage, "the library "+s.Library+" is in none of the places where the dynamic linker looks")
	default:
		if f := c.unstartable(what, p, s.Caps); f != nil {
			return f
		}
		return c.gains(what, p, s.Caps)
	}
	return &f
}

// unstartable: a program whose capabilities are in force at its start does not start
// without them all (capabilities(7), Safety checking for capability-dumb binaries).
func (c *Container) unstartable(what string, p *inside.Place, caps inside.FileCaps) *Finding {
	if !caps.Effective || !c.counts(caps) || p.Node.Mount != nil && option(p.Node.Mount.Options, "nosuid") {
		return nil
	}
	for _, name := range caps.Permitted {
		if slices.Contains(c.Process.Bounding, name) {
			continue
		}
		f := c.boundingOf(name)
		f.What, f.Why = what, "the file has "+name+" (setcap), without which the kernel does not start it (EPERM): "+f.Why
		return &f
	}
	return nil
}

// counts is true where capabilities of a file are for the container's user
// namespace, or for one above it.
func (c *Container) counts(caps inside.FileCaps) bool {
	root, known := inside.Inside(c.Process.UIDs, caps.Root)
	return caps.Root == 0 || known && root == 0
}

// boundingOf says why a capability is not in the bounding set, whoever asks.
func (c *Container) boundingOf(name string) Finding {
	root := *c
	root.User = &User{}
	return root.Capability(name)
}

// gains: a setuid program, or one with capabilities, under no_new_privs, or on a mount with nosuid, runs as
// whoever starts it.
func (c *Container) gains(what string, p *inside.Place, caps inside.FileCaps) *Finding {
	n := p.Node
	uid, gid := c.ids()
	owner, _ := insideOr(c.Process.UIDs, n.UID)
	group, _ := insideOr(c.Process.GIDs, n.GID)
	setuid := n.SetUID() && owner != uid
	setgid := n.SetGID() && group != gid
	capable := len(caps.Permitted) > 0 && c.counts(caps) && uid != 0
	if !setuid && !setgid && !capable || slices.Contains([]string{"proc", "sysfs"}, fsType(n)) {
		return nil
	}
	var f Finding
	reason := "it starts, and gains nothing from its setuid or setgid bit"
	if capable && !setuid && !setgid {
		reason = "it starts, and gains nothing from its capabilities (setcap)"
	}
	switch {
	case c.Process.NoNewPrivs && c.Asked != nil && c.Asked.Process != nil && c.Asked.Process.NoNewPrivileges:
		f = other(what, LayerRequest, reason+": the engine asked for no_new_privs").remedy("docker run --security-opt no-new-privileges=false")
	case c.Process.NoNewPrivs && c.change("process.noNewPrivileges") != nil:
		f = hatchdog(what, reason+": no_new_privs", c.where("privilege.noNewPrivileges"), control.Set("privilege.noNewPrivileges", "false")).lifts(unchanged("process.noNewPrivileges", "true"))
	case c.Process.NoNewPrivs:
		f = undetermined(what, reason+": no_new_privs, which neither the request nor a change names")
	case n.Mount != nil && option(n.Mount.Options, "nosuid"):
		f = c.byOption(what, path.Clean(n.Mount.Mountpoint), "nosuid", reason+" (nosuid)")
	default:
		return nil
	}
	return &f
}
