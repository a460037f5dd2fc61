package argv

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tables of these tests, and verbs.go, hold every flag of the runc that
// make setup has built, as its help lists them.
func TestFlagsAreThoseOfRunc(t *testing.T) {
	found, _ := filepath.Glob(filepath.Join(os.Getenv("HATCHDOG_CACHE"), "runc-*/runc"))
	if os.Getenv("HATCHDOG_CACHE") == "" || len(found) == 0 {
		t.Skip("make setup has not built runc")
	}
	help := func(args ...string) string {
		out, err := exec.Command(found[len(found)-1], append(args, "--help")...).Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return string(out)
	}
	compare := func(of, help, table string, kindOf func(string) kind) {
		t.Helper()
		var want []string
		for _, f := range runcFlags(table) {
			if hidden := strings.HasPrefix(f.names[0], "kernel-memory") || f.names[0] == "all"; !hidden {
				want = append(want, f.String())
			}
		}
		have := listed(help)
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(have, want) {
			t.Errorf("%s:\nrunc  %q\ntable %q", of, have, want)
		}
		for _, f := range runcFlags(table) {
			for _, name := range f.names {
				if k := kindOf(name); k != valued && f.kind != 'b' || k != boolean && f.kind == 'b' {
					t.Errorf("%s --%s: verbs.go says %d", of, name, k)
				}
			}
		}
	}
	compare("global", help(), runcGlobal, globalFlags().kind)
	for name, table := range runcVerbs {
		if v, ok := verbOf(name); ok {
			compare(name, help(name), table, v.flags.kind)
		}
	}
}

func (f runcFlag) String() string {
	s := strings.Join(f.names, ",")
	if f.kind != 'b' {
		s += " value"
	}
	return s
}

// listed reads the options of a help text: "--bundle value, -b value   path".
func listed(help string) []string {
	var all []string
	_, options, _ := strings.Cut(help, "OPTIONS:\n")
	for line := range strings.Lines(options) {
		if !strings.HasPrefix(line, "   -") {
			continue
		}
		options, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		var names []string
		for _, one := range strings.Split(options, ", ") {
			name, _, _ := strings.Cut(one, " ")
			names = append(names, strings.TrimLeft(name, "-"))
		}
		value := ""
		if strings.Contains(options, " value") {
			value = " value"
		}
		if names[0] != "help" && names[0] != "version" {
			all = append(all, strings.Join(names, ",")+value)
		}
	}
	return all
}
