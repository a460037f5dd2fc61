package lowlevel

import (
	"slices"
	"testing"
)

func TestEnvironOfTheRuntime(t *testing.T) {
	given := []string{"PATH=/bin", "A=1"}
	for name, tc := range map[string]struct{ path, more, want string }{
		"runc":                 {"/usr/sbin/runc", "", "GOMAXPROCS=1"},
		"the caller's own":     {"/usr/sbin/runc", "GOMAXPROCS=3", "GOMAXPROCS=3"},
		"crun is no Go":        {"/usr/bin/crun", "", ""},
		"crun's other version": {"/usr/bin/crun-1.28", "", ""},
	} {
		env := slices.Clone(given)
		if tc.more != "" {
			env = append(env, tc.more)
		}
		want := slices.Clone(given)
		if tc.want != "" {
			want = append(want, tc.want)
		}
		if got := Environ(tc.path, env); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// It does not write into the caller's list.
func TestEnvironCopies(t *testing.T) {
	env := make([]string, 1, 4)
	env[0] = "A=1"
	Environ("/usr/sbin/runc", env)
	if got := env[:2][1]; got != "" {
		t.Error(got)
	}
}
