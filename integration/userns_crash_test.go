package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// overlayBundle is a bundle as containerd makes it: its root file system is an
// overlay mount.
func overlayBundle(t *testing.T, command string) string {
	t.Helper()
	dir := makeBundle(t, command)
	for _, d := range []string{"snap", "snap/fs", "snap/work"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	must(t, os.Rename(dir+"/rootfs", dir+"/lower"))
	must(t, os.Mkdir(dir+"/rootfs", 0o755))
	must(t, unix.Mount("overlay", dir+"/rootfs", "overlay", 0, "lowerdir="+dir+"/lower,upperdir="+dir+"/snap/fs,workdir="+dir+"/snap/work"))
	t.Cleanup(func() { must(t, unix.Unmount(dir+"/rootfs", 0)) })
	return dir
}

// crashPool is apart from what other containers of this machine have.
const crashPool = 1500000000

// inRange are the processes that live in a user namespace with our ids.
func inRange(t *testing.T) []string {
	t.Helper()
	var found []string
	maps, _ := filepath.Glob("/proc/[0-9]*/uid_map")
	for _, m := range maps {
		if stat, _ := os.ReadFile(filepath.Dir(m) + "/stat"); strings.Contains(string(stat), ") Z ") {
			continue
		}
		data, _ := os.ReadFile(m)
		if f := strings.Fields(string(data)); len(f) == 3 {
			if base, _ := strconv.Atoi(f[1]); base >= crashPool && base < crashPool+10*65536 {
				found = append(found, m)
			}
		}
	}
	return found
}

// Killed at any step, nothing of a user namespace is left: no mount, no
// process, no range; and the next create goes through.
func TestUserNSEveryStep(t *testing.T) {
	dir := filepath.Join(tested.dir, "usernscrash")
	policy := policyFile(t, dir, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
	text := strings.Replace(read(t, policy), "ids: {", fmt.Sprintf("ids: {pool: %q, ", fmt.Sprintf("%d:655360", crashPool)), 1)
	must(t, os.WriteFile(policy, []byte(text), 0o600))
	bundle := overlayBundle(t, "true")
	call := func(bin, fault string, args ...string) (string, int) {
		cmd := exec.Command(bin, append([]string{"--root", dir + "/root"}, args...)...)
		cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+policy, "HATCHDOG_FAULT="+fault)
		// Not a pipe: the container that waits to be started keeps it open.
		file := dir + "/output"
		to, err := os.Create(file) //nolint:forbidigo // a test's own file
		must(t, err)
		defer to.Close()
		cmd.Stdout, cmd.Stderr = to, to
		_ = cmd.Run()
		return read(t, file), cmd.ProcessState.ExitCode()
	}
	ids := func() string {
		return mustRun(t, tested.hatchctl, "--policy", policy, "ids", "--json")
	}
	create := []string{"create", "--bundle", bundle, "c1"}
	original := read(t, bundle+"/config.json")
	for _, step := range []string{"setaside", "judged", "carrier", "detached", "entered", "pinned", "mounted", "acquired", "audited", "kept", "written"} {
		for _, how := range []string{"error", "kill"} {
			t.Run(step+" "+how, func(t *testing.T) {
				must(t, os.WriteFile(bundle+"/config.json", []byte(original), 0o600))
				mounts, processes := hostState(), inRange(t)
				out, code := call(tested.faulty, step+"="+how, create...)
				if code == 0 || how == "error" && !strings.Contains(out, "injected fault") {
					t.Fatalf("%d %s", code, out)
				}
				if now := hostState(); !slices.Equal(now, mounts) {
					t.Errorf("left on the host: %v", leftovers(mounts, now, "\x00"))
				}
				if now := inRange(t); !slices.Equal(now, processes) {
					t.Errorf("processes are left: %v", now)
				}
				if got := ids(); strings.Contains(got, "c1") {
					t.Errorf("ids are held: %s", got)
				}
				if out, code := call(tested.hatchdog, "", create...); code != 0 {
					t.Fatalf("afterwards: %d %s", code, out)
				}
				if got := ids(); !strings.Contains(got, "c1") || !strings.Contains(got, fmt.Sprint(crashPool)) {
					t.Errorf("ids afterwards: %s", got)
				}
				if len(inRange(t)) == len(processes) {
					t.Error("the container has no user namespace: the test proves nothing")
				}
				if out, code := call(tested.hatchdog, "", "delete", "--force", "c1"); code != 0 {
					t.Fatal(out)
				}
				if got := ids(); strings.Contains(got, "c1") {
					t.Errorf("ids are held after delete: %s", got)
				}
				if now := hostState(); !slices.Equal(now, mounts) {
					t.Errorf("left after delete: %v", leftovers(mounts, now, "\x00"))
				}
			})
		}
	}
}

// The container itself dies by SIGKILL: its mounts and its ids go with it.
func TestUserNSContainerKilled(t *testing.T) {
	eachDocker(t, userNSContainerKilled)
}

func userNSContainerKilled(t *testing.T, d *docker) {
	before := hostState()
	id := d.background(t, "--net=none", "busybox", "sleep", "600")
	must(t, unix.Kill(d.hostPid(t, id), unix.SIGKILL))
	waitFor(t, "its end", func() bool {
		return strings.Contains(d.do(t, "inspect", "-f", "{{.State.Running}}", id), "false")
	})
	d.do(t, "rm", id)
	for _, m := range hostState() {
		if strings.HasPrefix(m, "mount ") && !slices.Contains(before, m) {
			t.Errorf("left: %s", m)
		}
	}
	if out, _ := d.hatchctl(t, "ids", "--json"); strings.Contains(out, id) {
		t.Errorf("ids are held: %s", out)
	}
}
