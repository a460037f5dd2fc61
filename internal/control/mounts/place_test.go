package mounts

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Nothing stands for the root file system, for procfs, or for the directories of
// devices and terminals, by whatever name. A mount that would is never left out:
// what the image has there would lie open.
func TestNothingStandsForTheContainersOwn(t *testing.T) {
	for name, c := range map[string]struct {
		dest, typ, source string
		leads             string
		want              string // a part of the reason
	}{
		"the root":                   {"/", "bind", "/srv/v", "", "CVE-2023-27561"},
		"the root, by words":         {"/x/..", "tmpfs", "tmpfs", "", "CVE-2023-27561"},
		"the root, by a link":        {"/x", "bind", "/srv/v", "/", "CVE-2023-27561"},
		"procfs":                     {"proc/", "bind", "/srv/v", "", "CVE-2019-16884"},
		"procfs, by a link":          {"/x", "bind", "/srv/v", "/proc", "CVE-2019-16884"},
		"procfs, memory by a link":   {"/x", "tmpfs", "tmpfs", "/proc", "CVE-2019-16884"},
		"a label":                    {"/proc/self/attr", "bind", "/srv/v", "", "CVE-2025-52881"},
		"memory over settings":       {"/proc/sys", "tmpfs", "tmpfs", "", "CVE-2025-52881"},
		"a label, by a link":         {"/x/attr", "bind", "/srv/v", "/proc/self/attr", "CVE-2025-52881"},
		"devices":                    {"/dev", "bind", "/srv/v", "", "CVE-2025-31133"},
		"devices, by a link":         {"/x", "", "/srv/v", "/dev", "CVE-2025-31133"},
		"terminals":                  {"/dev/pts", "bind", "/srv/v", "", "CVE-2025-52565"},
		"a terminal":                 {"/dev/pts/0", "bind", "/srv/v", "", "CVE-2025-52565"},
		"the host's devices":         {"/dev", "bind", "/dev", "", ""},
		"limits shown by a service":  {"/proc/meminfo", "bind", "/srv/v", "", ""},
		"shared memory":              {"/dev/shm", "bind", "/srv/v", "", ""},
		"a message of the container": {"/dev/termination-log", "bind", "/srv/v", "", ""},
		"links without end":          {"/x", "bind", "/srv/v", host.Endless, "lead to no end"},
		"a link elsewhere":           {"/var/run/v", "bind", "/srv/v", "/run/v", ""},
	} {
		f := able(map[string]host.Source{
			"/srv/v": {Resolved: "/srv/v", Dir: true}, "/dev": {Resolved: "/dev", Dir: true},
		})
		f.Root = &host.Root{Source: host.Source{Resolved: "/srv/root", Dir: true}}
		if c.leads != "" || name == "links without end" {
			f.Root.Destinations = map[string][]string{c.dest: {c.leads}}
		}
		p := profile(t, "baseline")
		p.OnExcess[policy.Mounts] = policy.Tighten
		m := specs.Mount{Destination: c.dest, Type: c.typ, Source: c.source}
		if c.typ != "tmpfs" {
			m.Options = []string{"rbind"}
		}
		_, refusals := apply(t, p, f, &specs.Spec{Root: &specs.Root{Path: "r"}, Mounts: []specs.Mount{m}})
		got := ""
		if len(refusals) > 0 {
			got = refusals[0].Reason
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What the profile wants of procfs is not taken back by an option within another.
func TestAnOptionIsOne(t *testing.T) {
	for option, want := range map[string]bool{
		"gid=0,hidepid=0": true, "hidepid=invisible,": true, `x="a,b"`: false, `context="a:b:c:s0:c1,c2"`: false, `x="a,b`: true, `x="a",hidepid=0`: true, "size=1m": false,
	} {
		p := profile(t, "baseline")
		p.Mounts.ProcOptions = []policy.ProcOption{policy.ProcInvisible}
		m := specs.Mount{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"hidepid=invisible", option}}
		_, refusals := apply(t, p, able(nil), &specs.Spec{Mounts: []specs.Mount{m}})
		if got := len(refusals) > 0; got != want {
			t.Errorf("%s: %v", option, refusals)
		}
	}
}
