package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A path that the low-level runtime writes to, or keeps its state in, is not one
// that a user of the host says the meaning of: nothing is written by it, and nothing
// is started.
func TestNamesThatUsersCanChange(t *testing.T) {
	const user = 4711
	target := filepath.Join(t.TempDir(), "target")
	folders := []string{
		"a user's folder",
		"one for all",
		"one of a group",
		"a link of a user",
		"behind their link",
	}
	place := func(t *testing.T, d *direct, what string) string {
		t.Helper()
		dir := d.dir + "/names"
		must(t, os.Mkdir(dir, 0o755))
		switch what {
		case "a user's folder":
			must(t, os.Chown(dir, user, user))
		case "one for all":
			must(t, os.Chmod(dir, 0o777|os.ModeSticky))
		case "one of a group":
			must(t, os.Chmod(dir, 0o775))
			must(t, os.Chown(dir, 0, user))
		case "a link of a user":
			must(t, os.Chmod(dir, 0o777|os.ModeSticky))
			must(t, os.Symlink(target, dir+"/name"))
			must(t, os.Lchown(dir+"/name", user, user))
		case "behind their link":
			must(t, os.Chown(dir, user, user))
			must(t, os.Symlink(d.dir, dir+"/link"))
			return dir + "/link/name"
		}
		return dir + "/name"
	}
	for _, what := range folders {
		for _, flag := range []string{"--root", "--log", "--pid-file", "--console-socket", "--pidfd-socket"} {
			t.Run(what+" "+flag, func(t *testing.T) {
				d := newDirect(t)
				name := place(t, d, what)
				args := []string{"--root", d.dir + "/root", "--log", d.dir + "/log.json", "create", "--bundle", d.bundle, flag, name, "c1"}
				if flag == "--root" || flag == "--log" {
					args = append([]string{flag, name}, "create", "--bundle", d.bundle, "c1")
				}
				if flag == "--log" {
					args = append([]string{"--root", d.dir + "/root"}, args...)
				}
				cmd := exec.Command(d.bin, args...)
				cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+d.policy)
				out, err := cmd.CombinedOutput()
				if err == nil || d.starts(t) != 0 || !strings.Contains(string(out), flag+": users other than root can change what the path leads to") {
					t.Errorf("started %d times, %v: %s", d.starts(t), err, out)
				}
				if _, err := os.Lstat(target); err == nil {
					t.Error("a file was made where the link leads")
				}
			})
		}
	}
	t.Run("root's", func(t *testing.T) {
		d := newDirect(t)
		for _, log := range []string{d.dir + "/log", "/dev/stderr", "/proc/self/fd/2", d.dir + "/not/there/log"} {
			out, err := exec.Command("env", "HATCHDOG_POLICY="+d.policy, d.bin, "--root", d.dir+"/root", "--log", log, "create", "--pid-file", d.dir+"/pid", "--bundle", d.bundle, "c1").CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v: %s", log, err, out)
			}
			if out, code := d.call(t, nil, "delete", "--force", "c1"); code != 0 {
				t.Error(out)
			}
		}
	})
	t.Run("later calls", func(t *testing.T) {
		d := newDirect(t)
		if out, code := d.create(t); code != 0 {
			t.Fatal(out)
		}
		name, before := place(t, d, "a link of a user"), d.starts(t)
		for _, args := range [][]string{{"start", "c1"}, {"exec", "c1", "sh"}, {"exec", "--pid-file", name, "c1", "sh"}, {"update", "--pids-limit", "7", "c1"}} {
			cmd := exec.Command(d.bin, append([]string{"--root", d.dir + "/root", "--log", name}, args...)...)
			cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+d.policy)
			if out, err := cmd.CombinedOutput(); err == nil || d.starts(t) != before {
				t.Errorf("%v: %v: %s", args, err, out)
			}
		}
		if _, err := os.Lstat(target); err == nil {
			t.Error("a file was made where the link leads")
		}
	})
}
