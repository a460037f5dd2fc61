package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// policyFile writes a policy with its own state and audit log below dir.
func policyFile(t *testing.T, dir, extra string) string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	path := filepath.Join(dir, "policy.yaml")
	text := fmt.Sprintf("version: 1\nstateDir: %s/state\nids: {dir: %s/ids}\naudit: {path: %s/log/audit.jsonl}\nruntime: {path: %s}\n%s", dir, dir, dir, pinnedRunc(t), extra)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
