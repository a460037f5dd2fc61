package integration

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// The names that Docker's users know are those of the record, of the errors, of
// the policy and of every command.
func TestDockersNames(t *testing.T) {
	eachDocker(t, dockersNames)
}

func dockersNames(t *testing.T, d *docker) {
	id := d.background(t, "--name", "shop-front-1", "--label", "tier=db", "--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=front", "busybox", "sleep", "600")
	image := strings.TrimSpace(d.do(t, "inspect", "-f", "{{.Image}}", id))
	out, code := d.hatchctl(t, "explain", "--json", "shop-front-1")
	var decisions []struct {
		ID, Bundle string
		Workload   struct {
			Name, Image, Project, Service string
			ImageDigests                  []string
		}
	}
	if code != 0 || json.Unmarshal([]byte(out), &decisions) != nil {
		t.Fatal(out)
	}
	w := decisions[0].Workload
	if decisions[0].ID != id || w.Name != "shop-front-1" || w.Image != "busybox" || w.Project != "shop" || w.Service != "front" || !slices.Contains(w.ImageDigests, image) {
		t.Errorf("%s: %+v", image, decisions[0])
	}

	// Of the policy's rules, those that rest on what the user chose only narrow.
	for match, want := range map[string]string{
		"name: shop-*": "builtin/restricted met with builtin/baseline", "label: {tier: db}": "builtin/restricted met with builtin/baseline",
		"compose: {project: shop, service: front}": "builtin/restricted met with builtin/baseline", "image: busybox": "builtin/restricted met with builtin/baseline",
		"imageDigest: \"" + image + "\"": "builtin/baseline",
		"name: other":                    "builtin/restricted", "label: {tier: web}": "builtin/restricted", "compose: {project: other}": "builtin/restricted",
		"imageDigest: \"sha256:00*\"":                           "builtin/restricted",
		"name: shop-*}\n    trust: [name]\n    because: a test": "builtin/baseline",
	} {
		if !strings.Contains(match, "}\n") {
			match += "}"
		}
		file := t.TempDir() + "/policy.yaml"
		text := "version: 1\nrules:\n  - match: {engine: docker, " + match + "\n    profile: baseline\nruntime: " + pinnedRunc(t) + "\n"
		must(t, os.WriteFile(file, []byte(text), 0o600))
		out, _ := run(t, tested.hatchctl, "--policy", file, "check", "--json", decisions[0].Bundle)
		var checked struct{ Profile string }
		if err := json.Unmarshal([]byte(out), &checked); err != nil || checked.Profile != want {
			t.Errorf("%s: %s, want %s (%v)", match, checked.Profile, want, err)
		}
	}

	for _, args := range [][]string{{"net", "shop-front-1"}, {"refresh", "shop-front-1"}, {"net", id[:12]}, {"explain", "shop-front-1"}} {
		if out, code := d.hatchctl(t, args...); code != 0 {
			t.Errorf("%v: %s", args, out)
		}
	}
	d.do(t, "rename", "shop-front-1", "renamed")
	if out, code := d.hatchctl(t, "net", "renamed"); code != 0 {
		t.Errorf("by the name that it has now: %s", out)
	}

	said, code := d.try(t, "run", "--rm", "--name", "wants-too-much", "--runtime=hatchdog", "--pid=host", "busybox", "true")
	if code == 0 || !strings.Contains(said, "container wants-too-much (") {
		t.Errorf("%d: %s", code, said)
	}
	out, code = d.hatchctl(t, "explain", "wants-too-much")
	if code != 0 {
		t.Error(out)
	}
	wantLines(t, out, "wants-too-much", "linux.namespaces[pid]")
	// The policy that it tells admits it, pasted as it is.
	_, paste, found := strings.Cut(out, "The smallest policy that admits it:\n")
	rules, _, _ := strings.Cut(paste, "\nFIELD ")
	if !found || !strings.Contains(rules, "namespaces: {host: [inherited, pid]}") {
		t.Fatal(out)
	}
	d.setPolicy(t, strings.Replace(rules, "version: 1\n", "", 1))
	if said, code := d.try(t, "run", "--rm", "--runtime=hatchdog", "--pid=host", "busybox", "true"); code != 0 {
		t.Errorf("%s\ndoes not admit it: %s", rules, said)
	}
}

// What is suggested for a real container gives it what it asked for.
func TestSuggestedPolicy(t *testing.T) {
	eachDocker(t, suggestedPolicy)
}

func suggestedPolicy(t *testing.T, d *docker) {
	asked := []string{"--cap-add", "SYS_PTRACE", "--pids-limit", "3000", "--name", "asks-for-more", "busybox", "sleep", "600"}
	id := d.background(t, asked...)
	if caps := d.do(t, "exec", "asks-for-more", "grep", "CapEff", "/proc/1/status"); !strings.Contains(caps, restrictedCaps) {
		t.Fatal(caps)
	}
	out, code := d.hatchctl(t, "policy", "suggest", "asks-for-more")
	if code != 0 {
		t.Fatal(out)
	}
	wantLines(t, out, "CAP_SYS_PTRACE", "# capabilities.max: for a program that you know", "pids: {max: none}")
	all, code := d.hatchctl(t, "policy", "suggest", "--all")
	if code != 0 || !strings.Contains(all, "asks-for-more") {
		t.Errorf("%d %s", code, all)
	}
	d.do(t, "rm", "-f", id)
	d.setPolicy(t, strings.Replace(out, "version: 1\n", "", 1))
	id = d.background(t, asked...)
	// The 14 of Docker's own, and SYS_PTRACE.
	if caps := d.do(t, "exec", id, "grep", "CapEff", "/proc/1/status"); !strings.Contains(caps, "00000000a80c25fb") {
		t.Errorf("%s under\n%s", caps, out)
	}
	checked, _ := d.hatchctl(t, "explain", "--json", id)
	if strings.Contains(checked, `"field": "linux.resources.pids.limit"`) {
		t.Error("the limit that it asked for was taken")
	}
}
