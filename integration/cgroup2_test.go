package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// groupFile reads a file of a container's group of version 2, wherever the
// cgroup driver put it.
func groupFile(t *testing.T, id, file string) string {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup/docker/" + id, "/sys/fs/cgroup/system.slice/docker-" + id + ".scope"} {
		if data, err := os.ReadFile(filepath.Join(pattern, file)); err == nil {
			return strings.TrimSpace(string(data))
		}
	}
	t.Fatalf("no %s of container %s", file, id)
	return ""
}

func TestCgroup2Ceilings(t *testing.T) {
	require(t, "cgroup2")
	d := startDocker(t)
	id := d.background(t, "busybox", "sleep", "600")
	if got := groupFile(t, id, "pids.max"); got != "1024" {
		t.Errorf("pids.max %s", got)
	}
}
