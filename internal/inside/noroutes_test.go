package inside

import (
	"os"
	"path/filepath"
	"testing"
)

// The names of the counters are in a line before their values, in the order that
// the kernel likes.
func TestNoRoutes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"snmp":  "Ip: Forwarding OutNoRoutes ReasmOKs\nIp: 1 3 9\nTcp: OutNoRoutes\nTcp: 100\n",
		"snmp6": "Ip6OutRequests 7\nIp6OutNoRoutes 4\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := noRoutes(dir); got != 7 {
		t.Errorf("%d", got)
	}
	if got := noRoutes(t.TempDir()); got != 0 {
		t.Errorf("%d of none", got)
	}
}
