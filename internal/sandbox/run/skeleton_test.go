package run

import (
	"os"
	"testing"
)

// What is copied of /etc is what all may read, and no passwords.
func TestCopiesNoPasswords(t *testing.T) {
	from, to := t.TempDir()+"/maven", t.TempDir()+"/maven"
	for name, mode := range map[string]os.FileMode{"settings.xml": 0o644, "m2.conf": 0o644, "closed": 0o600} {
		if err := os.MkdirAll(from, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(from+"/"+name, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyOpen(from, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"settings.xml": false, "m2.conf": true, "closed": false} {
		if there(to+"/"+name) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
}
