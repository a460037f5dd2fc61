// Package freshness compares the lists of hatchdog with those that they were
// taken from, at the versions that are pinned here and in go.mod. It says when
// upstream's has moved.
package freshness

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// podSecurity holds Kubernetes' safe sysctls. Its newest release is looked up
// when the version is raised.
const podSecurity = "k8s.io/pod-security-admission@v0.36.3"

func profile(t *testing.T, name string) *policy.Profile {
	t.Helper()
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	return pol.Profiles["builtin/"+name]
}

func TestSafeSysctlsOfKubernetes(t *testing.T) {
	cmd := exec.Command("go", "mod", "download", "-json", podSecurity)
	cmd.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(cmd.Dir, "go.mod"), []byte("module x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	var at struct{ Dir string }
	if err != nil || json.Unmarshal(out, &at) != nil {
		t.Fatalf("%s: %v %s", podSecurity, err, out)
	}
	source, err := os.ReadFile(filepath.Join(at.Dir, "policy", "check_sysctls.go"))
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`\t\t"((?:kernel|net|fs)\.[a-z0-9_.]+)",`).FindAllStringSubmatch(string(source), -1)
	if len(keys) < 12 {
		t.Fatalf("%d sysctls in %s: its form has changed", len(keys), podSecurity)
	}
	for _, name := range []string{"baseline", "restricted", "untrusted"} {
		for _, key := range keys {
			if !slices.Contains(profile(t, name).Sysctls.Allow, key[1]) {
				t.Errorf("%s: Kubernetes calls %s safe, and sysctls.allow has it not", name, key[1])
			}
		}
	}
}

// containerd's defaults are those of Docker (moby, daemon/pkg/oci).
func TestMaskedPathsOfContainerd(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/containerd/containerd/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "pkg/oci/spec.go"))
	if err != nil {
		t.Fatal(err)
	}
	list := func(begin string) []string {
		_, rest, _ := strings.Cut(string(source), begin)
		body, _, _ := strings.Cut(rest, "}")
		var paths []string
		for _, m := range regexp.MustCompile(`"(/[^"]+)"`).FindAllStringSubmatch(body, -1) {
			paths = append(paths, m[1])
		}
		return paths
	}
	masked, readOnly := list("maskedPaths := []string{"), list("ReadonlyPaths: []string{")
	if len(masked) < 10 || len(readOnly) < 5 {
		t.Fatalf("%d and %d paths: the form of the file has changed", len(masked), len(readOnly))
	}
	m := profile(t, "baseline").Mounts
	closed := func(path string, lists ...[]policy.ReasonedPath) bool {
		return slices.ContainsFunc(slices.Concat(lists...), func(r policy.ReasonedPath) bool {
			return r.Path == path || policy.MatchPath(r.Path, path)
		})
	}
	for _, path := range masked {
		if !closed(path, m.Masked) {
			t.Errorf("containerd masks %s, and the profile does not", path)
		}
	}
	for _, path := range readOnly {
		if !closed(path, m.Masked, m.ReadOnly) {
			t.Errorf("containerd makes %s read-only, and the profile does not", path)
		}
	}
}

func TestCapabilitiesOfTheKernel(t *testing.T) {
	known := capability.ListKnown()
	if last := known[len(known)-1]; last != unix.CAP_LAST_CAP {
		t.Errorf("the newest capability that is known is %s (%d), the kernel's headers have %d", strings.ToUpper(last.String()), last, unix.CAP_LAST_CAP)
	}
}
