package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var updateRuler = flag.Bool("update-ruler", false, "write down anew which primitives are blocked")

// What an attacker in a container builds on is tried under Docker's default and under
// each profile. testdata/ruler.txt names what is blocked: what is there stays blocked,
// and each profile blocks all that the wider one does. What is blocked besides is
// added by -update-ruler.
func TestRuler(t *testing.T) {
	ruler := t.TempDir() + "/ruler"
	mustRun(t, "gcc", "-static", "-O1", "-Wall", "-Werror", "-o", ruler, "ruler/ruler.c")
	blocked := map[string][]string{}
	names := []string{"docker", "baseline", "restricted", "untrusted"}
	for _, name := range names {
		blocked[name] = blockedBy(t, name, ruler)
	}
	const file = "testdata/ruler.txt"
	if *updateRuler {
		var text strings.Builder
		for _, name := range names {
			fmt.Fprintf(&text, "%s %d: %s\n", name, len(blocked[name]), strings.Join(blocked[name], " "))
		}
		must(t, os.WriteFile(file, []byte(text.String()), 0o644))
	}
	for line := range strings.Lines(read(t, file)) {
		head, list, _ := strings.Cut(line, ":")
		name, _, _ := strings.Cut(head, " ")
		for _, primitive := range strings.Fields(list) {
			if name != "docker" && !slices.Contains(blocked[name], primitive) { // Docker's are its own to change
				t.Errorf("%s no longer blocks %s", name, primitive)
			}
		}
	}
	for i, name := range names[1:] {
		for _, primitive := range blocked[names[i]] {
			if !slices.Contains(blocked[name], primitive) {
				t.Errorf("%s blocks %s, and %s does not", names[i], primitive, name)
			}
		}
		t.Logf("%s blocks %d, %s %d", names[i], len(blocked[names[i]]), name, len(blocked[name]))
	}
}

// blockedBy is what is blocked in a container under a profile, or by runc alone.
func blockedBy(t *testing.T, profile, ruler string) []string {
	t.Helper()
	return blockedWith(t, profile, ruler, dockersFilter(t))
}

// blockedWith is blockedBy for a request with a filter.
func blockedWith(t *testing.T, profile, ruler string, filter *specs.LinuxSeccomp) []string {
	t.Helper()
	d := newPinned(t, "")
	must(t, os.Chmod(filepath.Dir(d.dir), 0o755)) // the root of a user namespace passes through
	must(t, exec.Command("cp", ruler, d.bundle+"/rootfs/ruler").Run())
	must(t, os.Chmod(d.bundle+"/rootfs", 0o755))
	must(t, os.Mkdir(d.bundle+"/rootfs/tmp", 0o755))
	must(t, os.Chmod(d.bundle+"/rootfs/tmp", 0o777))
	d.edit(t, func(s *specs.Spec) {
		s.Process.Args = []string{"/ruler"}
		s.Process.NoNewPrivileges, s.Root.Readonly = false, false
		s.Linux.Seccomp = filter
	})
	var out string
	if profile == "docker" {
		said, err := exec.Command(pinnedRunc(t), "--root", d.dir+"/plain", "run", "--bundle", d.bundle, "plain").Output()
		must(t, err)
		out = string(said)
	} else {
		d.setPolicy(t, "profile: builtin/"+profile+"\n")
		out, _ = d.call(t, nil, "run", "--bundle", d.bundle, "c1")
	}
	var blocked []string
	all := 0
	for line := range strings.Lines(out) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "blocked":
			blocked = append(blocked, name)
			fallthrough
		case "open":
			all++
		}
	}
	if all < 170 {
		t.Fatalf("%s: %d were tried: %s", profile, all, out)
	}
	return blocked
}
