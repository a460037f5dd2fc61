package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		run, tier string
		want      string
		ok        bool
	}{
		{"", "", "cgroupfs docker userns newest systemd", true},
		{"", "systemd", "systemd", true},
		{"", "selinux", "selinux", true},
		{"TestX", "", "cgroupfs", true},
		{"TestX", "systemd", "systemd", true},
		{"", "sytemd", "", false},
	} {
		chosen, err := choose(c.run, c.tier)
		var got []string
		for _, tier := range chosen {
			got = append(got, tier.name)
			if c.run != "" && tier.run != c.run {
				t.Errorf("%+v runs %s", c, tier.run)
			}
		}
		if strings.Join(got, " ") != c.want || (err == nil) != c.ok {
			t.Errorf("%+v: %v %v", c, got, err)
		}
	}
}

// A test that needs what only the guest has must be run there.
func TestTheTiersRunWhatTheHostSkips(t *testing.T) {
	files, err := filepath.Glob("../*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing.T\) \{\n\trequire\(t, .*"(apparmor|cgroup2|bpflsm|selinux|systemd)"`)
	found := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range test.FindAllStringSubmatch(string(data), -1) {
			found++
			if !runs(t, m[1]) {
				t.Errorf("%s: no tier runs %s", f, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("%d tests found, the search is broken", found)
	}
}

func runs(t *testing.T, name string) bool {
	t.Helper()
	for _, tier := range append(tiers(), further()...) {
		for _, one := range strings.Split(tier.run, "$|") {
			if regexp.MustCompile(one).MatchString(name) {
				return true
			}
		}
	}
	return false
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte("one\ntwo\nhalf"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	tl := follow(path, func(line string) { got = append(got, line) })
	tl.end()
	if strings.Join(got, " ") != "one two" || !tl.seen("two") || tl.seen("half") {
		t.Errorf("%q", got)
	}
}
