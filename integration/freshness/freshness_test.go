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

// module is where the files of a module are that is not in go.mod.
func module(t *testing.T, version string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", version)
	cmd.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(cmd.Dir, "go.mod"), []byte("module x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	var at struct{ Dir string }
	if err != nil || json.Unmarshal(out, &at) != nil {
		t.Fatalf("%s: %v %s", version, err, out)
	}
	return at.Dir
}

// required is where the files of a module of go.mod are.
func required(t *testing.T, path string) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(dir))
}

func TestSafeSysctlsOfKubernetes(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(module(t, podSecurity), "policy", "check_sysctls.go"))
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

func TestCapabilitiesOfTheKernel(t *testing.T) {
	known := capability.ListKnown()
	if last := known[len(known)-1]; last != unix.CAP_LAST_CAP {
		t.Errorf("the newest capability that is known is %s (%d), the kernel's headers have %d", strings.ToUpper(last.String()), last, unix.CAP_LAST_CAP)
	}
}
