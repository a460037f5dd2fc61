package freeze

import (
	"errors"
	"os"
	"testing"
)

// The files of version 2, as a kernel has them. A real one is frozen by the
// integration tests, on whichever version the host has.
func TestVersion2(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("cgroup.freeze", "0\n")
	put("cgroup.events", "populated 1\nfrozen 1\n")
	f, err := Of(map[string]string{"": dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Freeze(); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(dir + "/cgroup.freeze"); string(got) != "1\n" && string(got) != "1" {
		t.Errorf("%q was written", got)
	}
	put("cgroup.events", "populated 1\nfrozen 0\n")
	if frozen, err := f.Frozen(); frozen || err != nil {
		t.Errorf("%v %v", frozen, err)
	}
}

// On a host with both versions it is always the same one.
func TestBothVersions(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, file := range []string{one + "/freezer.state", two + "/cgroup.freeze"} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		f, err := Of(map[string]string{"freezer": one, "": two})
		if err != nil || f.set != one+"/freezer.state" {
			t.Fatalf("%+v %v", f, err)
		}
	}
}

func TestNoFreezer(t *testing.T) {
	for _, dirs := range []map[string]string{nil, {"": t.TempDir()}, {"freezer": "/nowhere"}} {
		if _, err := Of(dirs); !errors.Is(err, ErrNone) {
			t.Errorf("%v: %v", dirs, err)
		}
	}
}
