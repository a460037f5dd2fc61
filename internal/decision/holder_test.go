package decision

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func claimed(t *testing.T) Store {
	t.Helper()
	s := Store{Base: filepath.Join(t.TempDir(), "state")}
	c, err := s.Claim("/run/runc-not-there", "c1")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(&Record{Decision: Decision{Runtime: Runtime{Path: "/usr/bin/runc"}}}, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	return s
}

// A delete must not take the record of a create that came behind it.
func TestReleaseOfAnothersRecord(t *testing.T) {
	s := claimed(t)
	holder := s.Holder("/run/runc-not-there", "c1")
	if err := s.Release("/run/runc-not-there", "c1", "1:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load("/run/runc-not-there", "c1"); err != nil {
		t.Error("the record of another create is gone:", err)
	}
	if err := s.Release("/run/runc-not-there", "c1", holder); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load("/run/runc-not-there", "c1"); !errors.Is(err, ErrNoRecord) {
		t.Error("the record is left:", err)
	}
	if err := (Store{Base: filepath.Join(t.TempDir(), "none")}).Release("/r", "c1", ""); err != nil {
		t.Error("no store:", err)
	}
}

// A record names a program that is run as root.
func TestStoreOfSomebodyElseIsNotRead(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	for name, spoil := range map[string]func(base, dir string) error{
		"owner":       func(base, _ string) error { return os.Chown(base, 1000, 1000) },
		"writable":    func(base, _ string) error { return os.Chmod(base, 0o777) },
		"key's owner": func(_, dir string) error { return os.Chown(dir, 1000, 1000) },
	} {
		s := claimed(t)
		if err := spoil(s.Base, filepath.Dir(s.Dir("/run/runc-not-there", "c1"))); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load("/run/runc-not-there", "c1"); err == nil || errors.Is(err, ErrNoRecord) {
			t.Errorf("%s: record read: %v", name, err)
		}
		if path, err := s.Runtime("/run/runc-not-there", "c1"); err == nil {
			t.Errorf("%s: runtime read: %s", name, path)
		}
	}
}
