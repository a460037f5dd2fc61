package lowlevel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestFindRefusesWhatOthersCanWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runc")
	for mode, want := range map[os.FileMode]error{0o755: nil, 0o757: ErrOpen, 0o775: nil} {
		if err := errors.Join(os.WriteFile(path, []byte("#!/bin/sh"), 0o755), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		if _, err := Find(policy.Runtime{Path: path}, os.Getenv); os.Geteuid() == 0 && !errors.Is(err, want) {
			t.Errorf("%04o: %v", mode, err)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(path, 0o755), os.Chown(path, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(policy.Runtime{Path: path}, os.Getenv); !errors.Is(err, ErrOpen) {
		t.Errorf("another's file: %v", err)
	}
}

// An annotation "bundle" is a label of the state as well, and runc acts on the
// first that it finds.
func TestBundleThatIsNamedTwice(t *testing.T) {
	root := t.TempDir()
	for state, want := range map[string]string{
		`{"config":{"labels":["a=b","bundle=/run/b"]}}`:              "/run/b",
		`{"config":{"labels":["bundle=/tmp/evil","bundle=/run/b"]}}`: "",
		`{"config":{"labels":["bundle=tmp/evil","bundle=/run/b"]}}`:  "",
		`{"config":{"labels":[]}}`:                                   "",
	} {
		if err := errors.Join(os.MkdirAll(root+"/c1", 0o700), os.WriteFile(root+"/c1/state.json", []byte(state), 0o600)); err != nil {
			t.Fatal(err)
		}
		if got, err := Bundle(root, "c1"); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v", state, got, err)
		}
	}
}
