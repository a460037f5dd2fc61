package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// entries are the names in a folder.
func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// A bundle can be run, edited and run again: hatchdog writes nothing into it, and
// the low-level runtime reads what hatchdog decided all the same. So it is where
// others can change what the bundle's path leads to.
func TestBundleStaysAsItsOwnerWroteIt(t *testing.T) {
	for name, others := range map[string]func(t *testing.T, bundle string){
		"root's":           func(*testing.T, string) {},
		"another user's":   func(t *testing.T, bundle string) { must(t, os.Chown(bundle, 1000, 1000)) },
		"open to everyone": func(t *testing.T, bundle string) { must(t, os.Chmod(bundle, 0o777)) },
	} {
		t.Run(name, func(t *testing.T) {
			bundle := makeBundle(t, "grep NoNewPrivs /proc/self/status; cat /marker")
			policy := policyFile(t, t.TempDir(), "profile: restricted\n")
			others(t, bundle)
			for _, marker := range []string{"first", "second"} {
				must(t, os.WriteFile(bundle+"/rootfs/marker", []byte(marker), 0o644))
				editDocument(t, bundle, func(s spec) { s["hostname"] = marker })
				asked, names := read(t, bundle+"/config.json"), entries(t, bundle)
				cmd := exec.Command(tested.hatchdog, "--root", t.TempDir(), "run", "--bundle", bundle, "again")
				cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+policy)
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "NoNewPrivs:\t1") || !strings.Contains(string(out), marker) {
					t.Fatalf("%s: %v %s", marker, err, out)
				}
				if read(t, bundle+"/config.json") != asked || entries(t, bundle) != names {
					t.Errorf("%s: the bundle is not as it was: %s", marker, entries(t, bundle))
				}
			}
		})
	}
}
