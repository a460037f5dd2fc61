package why

import (
	"fmt"
	"runtime"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// Call is a system call that is asked about. Without arguments it is any call of
// that name.
type Call struct {
	Name  string
	Args  []uint64
	Arch  specs.Arch
	Exact bool // Args are all that counts
}

// answer is what a filter makes of a call.
type answer int

const (
	passes  answer = iota // whatever its arguments
	depends               // on its arguments
	denies
	doubtful // rules that libseccomp may compile to something else
)

// Call says why a system call fails.
func (c *Container) Call(call Call) (Finding, error) {
	what := "the call " + call.Name
	if c.Given == nil {
		return c.callOfGone(what, call), nil
	}
	given, said, err := c.ask(c.Given.Seccomp, call)
	if err != nil {
		return Finding{}, err
	}
	asked, first := passes, ""
	if c.Asked != nil && c.Asked.Linux != nil {
		if asked, first, err = c.ask(c.Asked.Linux.Seccomp, call); err != nil {
			return undetermined(what, "the engine's own filter cannot be read: "+err.Error()), nil
		}
	}
	switch {
	case given == doubtful || asked == doubtful:
		return undetermined(what, "the rules of the filter contradict or overlap: what libseccomp makes of them is not certain"), nil
	case given == denies && asked == denies:
		f := other(what, LayerFilter, "the filter that the engine asked for denies it: "+first).remedy("give the engine another filter (docker run --security-opt seccomp=FILE)")
		if c.tableDenies(call.Name) {
			f = f.with("the profile denies it too (" + c.where("seccomp.table") + "): the engine's filter alone is not enough")
		}
		return f, nil
	case given == denies && asked == depends:
		return c.callDenied(what, call, said).with("the engine's filter lets it through for some arguments only: " + first), nil
	case given == denies:
		return c.callDenied(what, call, said), nil
	case given == depends:
		return undetermined(what, "the filter lets it through for some arguments only: give them behind the call", "allowed if "+said), nil
	}
	return c.callThrough(what, call), nil
}

// callDenied: the profile's table denies it. The request may not have had the
// capability that it needs: then it would fail without hatchdog as well.
func (c *Container) callDenied(what string, call Call, said string) Finding {
	denied := "the filter answers " + said + c.tableReason(call.Name)
	f := hatchdog(what, denied, c.where("seccomp.table"), control.Add("seccomp.allow", call.Name)).lifts(allowsCall(call.Name))
	name := needed(call)
	if most := often(call.Name); name == "" && most != "" && !slices.Contains(bounding(c.askedCapabilities()), most) {
		f = f.with("most of its uses need " + most + ", which the engine did not ask for: those fail without hatchdog as well")
	}
	if name == "" || c.holds(name) && (!c.inUserNS() || !slices.Contains(hostOnly(), name)) {
		return f
	}
	lacks := c.Capability(name)
	switch lacks.Verdict {
	case Other:
		lacks.What, lacks.Why = what, "it needs "+name+": "+lacks.Why
		return lacks.with("hatchdog's filter denies it as well: " + denied + " (" + f.Policy + ")")
	case Hatchdog:
		f.Why += "; it needs " + name + ": " + lacks.Why
		f.Grants = control.Union(f.Grants, lacks.Grants...)
		return f.lifts(both(f.Lifted, lacks.Lifted))
	}
	return f
}

func both(a, b lift) lift {
	return func(changes []control.Attributed, p *policy.Profile) bool {
		return (a == nil || a(changes, p)) && (b == nil || b(changes, p))
	}
}

// callThrough: no filter stops it. The capability that it needs is left to look at.
func (c *Container) callThrough(what string, call Call) Finding {
	if f := c.prevented(what, call.Name); f != nil {
		return *f
	}
	name := needed(call)
	if name == "" || c.Process == nil {
		return undetermined(what, "no filter stops it: the kernel, a limit or a security module does, or nothing")
	}
	if c.holds(name) && (!c.inUserNS() || !slices.Contains(hostOnly(), name)) {
		return undetermined(what, "no filter stops it, and the process has "+name+", which it needs")
	}
	f := c.Capability(name)
	f.What = what
	f.Why = "no filter stops it; it needs " + name + ": " + f.Why
	return f
}

// callOfGone knows no more than the changes.
func (c *Container) callOfGone(what string, call Call) Finding {
	for _, ch := range c.Changes {
		if c.Held && ch.Field == "linux.seccomp.syscalls" && slices.Contains(explain.Items(ch.Before), call.Name) {
			if ch.After == "denied" {
				return hatchdog(what, "the engine's filter allowed it, and the profile denies it", c.where("seccomp.table"), control.Add("seccomp.allow", call.Name)).lifts(allowsCall(call.Name))
			}
			return undetermined(what, "the profile lets it through for some arguments only, and which they are went with the container")
		}
	}
	return undetermined(what, "the container is gone, and its filter with it; no change that is kept names the call")
}

func (c *Container) ask(filter *specs.LinuxSeccomp, call Call) (answer, string, error) {
	if filter == nil {
		return passes, "", nil
	}
	f, err := seccomp.Parse(filter)
	if err != nil {
		return doubtful, "", err
	}
	if call.Exact {
		one := seccomp.Call{Name: call.Name, Arch: call.Arch}
		copy(one.Args[:], call.Args)
		got := f.Evaluate(one, call.Arch)
		switch {
		case !got.Certain:
			return doubtful, "", nil
		case got.Action.Executes():
			return passes, "", nil
		}
		return denies, got.Action.String(), nil
	}
	for _, e := range f.Survey(call.Arch) {
		switch {
		case e.Call != call.Name:
		case !e.Exact:
			return doubtful, "", nil
		case e.Allow.Always():
			return passes, "", nil
		case len(e.Allow) > 0:
			return depends, e.Allow.String(), nil
		default:
			return denies, e.Deny.String(), nil
		}
	}
	if f.Default.Executes() {
		return passes, "", nil
	}
	return denies, f.Default.String(), nil
}

// table is the profile's, for this container.
func (c *Container) table(native specs.Arch) *seccomp.Grants {
	if c.Profile == nil || c.Profile.Seccomp.Table == "none" {
		return nil
	}
	t, err := tables.Load(string(c.Profile.Seccomp.Table))
	if err != nil {
		return nil
	}
	r := c.Profile.Seccomp
	return t.Resolve(seccomp.Wish{Capabilities: c.given(), Native: native, Allow: r.Allow, Deny: r.Deny})
}

func (c *Container) tableDenies(call string) bool {
	native, err := seccomp.Native(runtime.GOARCH)
	t := c.table(native)
	return err == nil && t != nil && len(t.Allows(call)) == 0
}

func (c *Container) tableReason(call string) string {
	native, err := seccomp.Native(runtime.GOARCH)
	t := c.table(native)
	if err != nil || t == nil || t.Reason(call) == "" {
		return fmt.Sprintf("; the table %s does not have it", c.tableName())
	}
	return "; the table " + c.tableName() + ": " + t.Reason(call)
}

func (c *Container) tableName() string {
	if c.Profile == nil {
		return "of the profile"
	}
	return string(c.Profile.Seccomp.Table)
}

func allowsCall(call string) lift {
	return func(changes []control.Attributed, p *policy.Profile) bool {
		denied := slices.ContainsFunc(changes, func(c control.Attributed) bool {
			return c.Field == "linux.seccomp.syscalls" && slices.Contains(explain.Items(c.Before), call)
		})
		return !denied && slices.Contains(p.Seccomp.Allow, call)
	}
}
