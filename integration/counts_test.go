package integration

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var updateCounts = flag.Bool("counts", false, "rewrite testdata/counts.json with what the doors cost now")

// countsFile holds what each door cost, in numbers that time does not change.
const countsFile = "testdata/counts.json"

// allowed is how much more a door may cost before somebody has to say that it
// may: other hosts have other mounts and longer paths.
func allowed(was effort) effort {
	return effort{
		Syscalls: was.Syscalls + was.Syscalls/10 + 10, Faults: was.Faults + was.Faults/8 + 40,
		Written: was.Written + was.Written/10 + 512, Processes: was.Processes,
	}
}

// caller calls hatchdog as an engine does, under one policy.
type caller struct {
	root, policy, dir string
	program           string // hatchdog, or a build of it that tells more
}

func newCaller(t *testing.T, policy string) *caller {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755)) // the root of a user namespace passes through
	return &caller{root: filepath.Join(dir, "root"), policy: policyFile(t, dir, policy), dir: dir, program: tested.hatchdog}
}

func (c *caller) command(args ...string) *exec.Cmd {
	cmd := exec.Command(c.program, append([]string{"--root", c.root, "--log", filepath.Join(c.dir, "log.json"), "--log-format", "json"}, args...)...)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+c.policy)
	return cmd
}

// process writes the process file of an exec.
func (c *caller) process(t *testing.T) string {
	t.Helper()
	file := filepath.Join(c.dir, "process.json")
	must(t, os.WriteFile(file, []byte(`{"user":{"uid":0,"gid":0},"args":["/bin/sh","-c","true"],"cwd":"/","env":["PATH=/bin"]}`), 0o600))
	return file
}

// sleepingBundle is one of a container that does nothing for long.
func sleepingBundle(t *testing.T) string {
	t.Helper()
	bundle := makeBundle(t, "exec /bin/sleep 1000")
	must(t, os.Symlink("sh", filepath.Join(bundle, "rootfs/bin/sleep")))
	return bundle
}

// call runs one command with a file for its streams, which a container may keep.
func (c *caller) call(id string, args ...string) error {
	name := filepath.Join(c.dir, "said-"+id)
	said, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	defer said.Close()
	cmd := c.command(args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(name)
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, text)
	}
	return nil
}

// life counts every door in the life of a container.
func (c *caller) life(t *testing.T, id string) map[string]effort {
	t.Helper()
	bundle, process := sleepingBundle(t), c.process(t)
	t.Cleanup(func() { _ = c.command("delete", "--force", id).Run() })
	found := map[string]effort{}
	for _, args := range [][]string{
		{"create", "--bundle", bundle, id}, {"start", id}, {"exec", "--process", process, id}, {"state", id}, {"kill", id, "KILL"},
	} {
		found[args[0]] = traced(t, c.command(args...))
	}
	waitFor(t, "the container's end", func() bool { return c.command("delete", id).Run() == nil })
	return found
}

// countedPolicies are those under which the doors are counted.
func countedPolicies() map[string]string {
	return map[string]string{
		"":          "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: off}}}\n",
		"userns ":   "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n",
		"complain ": "mode: complain\n",
	}
}

// Nothing is added to the path of a container without somebody saying so: what
// each door costs is compared with what it cost when that was written down.
func TestCounts(t *testing.T) {
	kind := "cgroup 1"
	if hasFeature(t, "cgroup2") {
		kind = "cgroup 2"
	}
	found := map[string]effort{}
	for name, policy := range countedPolicies() {
		c := newCaller(t, policy)
		c.life(t, "warm") // what the host and the low-level runtime can is kept from then on
		for door, e := range c.life(t, "counted") {
			found[name+door] = e
		}
	}
	var all map[string]map[string]effort
	must(t, json.Unmarshal([]byte(read(t, countsFile)), &all))
	if *updateCounts {
		all[kind] = found
		raw, err := json.MarshalIndent(all, "", "  ")
		must(t, err)
		must(t, os.WriteFile(countsFile, append(raw, '\n'), 0o644))
		return
	}
	for door, was := range all[kind] {
		is, most := found[door], allowed(was)
		if is.Syscalls > most.Syscalls || is.Faults > most.Faults || is.Written > most.Written || is.Processes > most.Processes {
			t.Errorf("%s costs %+v; it cost %+v, and %+v are allowed. Where that has to be: go test ./integration -run TestCounts -args -counts", door, is, was, most)
		}
	}
	if len(all[kind]) != len(found) {
		raw, err := json.Marshal(found)
		must(t, err)
		t.Errorf("%s has figures of %d doors in %s, not of %d: %s", kind, len(all[kind]), countsFile, len(found), raw)
	}
}
