//go:build amd64 || arm64

package lowlevel

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What is written, is written by somebody who is not waited for.
func TestStayWrites(t *testing.T) {
	procs := filepath.Join(t.TempDir(), "cgroup.procs")
	if err := os.WriteFile(procs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stay(procs)
	for range 1000 {
		if text, err := os.ReadFile(procs); err == nil && string(text) == "0" {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("nothing was written")
}
