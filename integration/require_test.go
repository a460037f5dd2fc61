package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// require skips a test where this host lacks a feature, and fails it where
// HATCHDOG_REQUIRE says that the host has it.
func require(t *testing.T, features ...string) {
	t.Helper()
	for _, f := range features {
		if hasFeature(t, f) {
			continue
		}
		if slices.Contains(strings.Split(os.Getenv("HATCHDOG_REQUIRE"), ","), f) {
			t.Fatalf("this host lacks %s, which HATCHDOG_REQUIRE lists", f)
		}
		lane := "test-vm"
		switch f {
		case "kubernetes", "kube-router":
			lane = "test-k8s"
		case "buildkit", "nerdctl", "crio":
			lane = "test-engines"
		}
		t.Skipf("this host lacks %s; make %s has it", f, lane)
	}
}

func hasFeature(t *testing.T, feature string) bool {
	t.Helper()
	holds := func(path, text string) bool {
		data, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(data), text)
	}
	built := func(pattern string) bool {
		found, _ := filepath.Glob(filepath.Join(os.Getenv("HATCHDOG_CACHE"), pattern))
		return len(found) > 0
	}
	switch feature {
	case "apparmor":
		return holds("/sys/kernel/security/lsm", "apparmor")
	case "bpflsm":
		return holds("/sys/kernel/security/lsm", "bpf") && hasFeature(t, "cgroup2")
	case "cgroup2":
		var fs unix.Statfs_t
		return unix.Statfs("/sys/fs/cgroup", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
	case "kubernetes":
		return built("kubernetes-v*/kubelet")
	case "kube-router":
		return built("kube-router-v*/kube-router") && built("kube-proxy-v*/kube-proxy") && built("ipset-*/usr/sbin/ipset") && built("libipset13-*/usr")
	case "buildkit":
		return built("buildkit-v*/buildkitd")
	case "nerdctl":
		return built("nerdctl-v*/nerdctl")
	case "crio":
		return built("crio-v*/crio")
	case "crun":
		_, err := exec.LookPath("crun")
		return err == nil
	case "selinux":
		return holds("/sys/kernel/security/lsm", "selinux")
	case "swap":
		return holds("/proc/swaps", "/dev/")
	case "systemd":
		_, err := os.Stat("/run/systemd/system")
		return err == nil
	default:
		t.Fatalf("no probe of %q", feature)
		return false
	}
}
