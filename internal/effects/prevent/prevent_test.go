package prevent

import (
	"errors"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestNamesAreThePolicys(t *testing.T) {
	if !slices.Equal(Names(), policy.PreventNames()) {
		t.Errorf("%v, and the policy has %v", Names(), policy.PreventNames())
	}
	all, err := Of(Names())
	if err != nil || all != All || bits.OnesCount32(uint32(All)) != len(Names()) {
		t.Errorf("%b %v", all, err)
	}
	if _, err := Of([]string{"drift", "none"}); !errors.Is(err, errUnknown) {
		t.Errorf("%v", err)
	}
}

// A guard counts as loaded where each program of what is denied is there, and only
// root can have put it there.
func TestLoaded(t *testing.T) {
	g := Guard{Dir: filepath.Join(t.TempDir(), "hatchdog", "v1")}
	if err := g.Loaded(BPF); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("nothing there: %v", err)
	}
	links := filepath.Join(g.Dir, Links)
	if err := os.MkdirAll(links, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bpf", "cgroup_rmdir"} {
		if err := g.Loaded(BPF); err == nil {
			t.Errorf("without %s it counts as loaded", name)
		}
		if err := os.WriteFile(filepath.Join(links, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if err := g.Loaded(BPF); err != nil {
		t.Errorf("all there: %v", err)
	}
	if err := g.Loaded(BPF | Ptrace); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("one more is denied: %v", err)
	}
	for _, dir := range []string{links, g.Dir, filepath.Dir(g.Dir)} {
		if err := os.Chown(dir, 1, 0); err != nil {
			t.Fatal(err)
		}
		if err := g.Loaded(BPF); !errors.Is(err, errForeign) {
			t.Errorf("%s is another user's: %v", dir, err)
		}
		if err := errors.Join(os.Chown(dir, 0, 0), os.Chmod(dir, 0o722)); err != nil {
			t.Fatal(err)
		}
		if err := g.Loaded(BPF); !errors.Is(err, errForeign) {
			t.Errorf("%s can be written by others: %v", dir, err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// The root file system is what is mounted at / last.
func TestRootOf(t *testing.T) {
	for text, want := range map[string]uint32{
		"1 0 0:45 / / rw - overlay overlay rw\n2 1 8:1 / /vol rw - ext4 /dev/x rw\n": 45,
		"1 0 8:1 / / rw - ext4 x rw\n2 1 253:3 / / rw - ext4 y rw\n":                 253<<20 | 3,
		"2 1 8:1 / /vol rw - ext4 /dev/x rw\n":                                       0,
		"1 0 8 / / rw - ext4 x rw\n":                                                 0,
		"":                                                                           0,
	} {
		if got, err := rootOf(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d %v", text, got, err)
		}
	}
}

// What cannot be told from the host's tasks is not entered.
func TestEnterRefuses(t *testing.T) {
	proc := t.TempDir()
	g := Guard{Proc: proc, Group: proc}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(proc, "7"), 0o700))
	for text, want := range map[string]error{
		"":                            errNoGroup,
		"1:cpu:/a\n":                  errNoGroup,
		"0::/\n":                      errNoGroup,
		"0::/../other\n":              errNoGroup,
		"0::/a/b/c/d/e/f/g/h/i/j/k\n": errTooDeep,
		"0::/a\n":                     errNoGroup, // no such file system here
	} {
		must(os.WriteFile(filepath.Join(proc, "7", "cgroup"), []byte(text), 0o600))
		if _, err := g.group(7); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	g.Proc = "/proc"
	if _, _, err := g.pids(os.Getpid()); !errors.Is(err, errHostPids) && !errors.Is(err, errInner) {
		t.Errorf("our own pid namespace: %v", err)
	}
	if _, err := openMap(filepath.Join(proc, "none")); err == nil {
		t.Error("a map that is not there was opened")
	}
}
