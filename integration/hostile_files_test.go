package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A file of limits, or of a process, that another user made, or that is none: it
// is refused in time, and nothing of what it leads to is shown.
func TestHostileFilesOfLaterCalls(t *testing.T) {
	const user, secret = 4711, "TOP-SECRET"
	fifo := func(t *testing.T, name string, uid int) {
		t.Helper()
		must(t, unix.Mkfifo(name, 0o644))
		must(t, os.Chown(name, uid, uid))
	}
	link := func(to string) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			t.Helper()
			must(t, os.Symlink(to, name))
			must(t, os.Lchown(name, user, user))
		}
	}
	text := func(text string, uid int) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			t.Helper()
			must(t, os.WriteFile(name, []byte(text), 0o644))
			must(t, os.Chown(name, uid, uid))
		}
	}
	hidden := filepath.Join(t.TempDir(), "hidden")
	must(t, os.WriteFile(hidden, []byte(`{"`+secret+`": "`+secret+`"} `+secret), 0o600))
	for name, place := range map[string]func(*testing.T, string){
		"a user's file":              text("{}", user),
		"a user's pipe":              func(t *testing.T, name string) { t.Helper(); fifo(t, name, user) },
		"a pipe without a writer":    func(t *testing.T, name string) { t.Helper(); fifo(t, name, 0) },
		"a user's link to a secret":  link(hidden),
		"a link to memory":           link("/proc/kcore"),
		"a link without end":         link("/dev/zero"),
		"a link to itself":           link("file"),
		"a folder":                   func(t *testing.T, name string) { t.Helper(); must(t, os.Mkdir(name, 0o755)) },
		"5 MB":                       text(`{"x":"`+strings.Repeat("x", 5<<20)+`"}`, 0),
		"200 levels":                 text(strings.Repeat(`{"x":`, 200)+"1"+strings.Repeat("}", 200), 0),
		"one name twice":             text(`{"memory":{"limit":1},"memory":{"limit":-1},"cwd":"/","cwd":"/x"}`, 0),
		"a name in other letters":    text(`{"Memory":{"limit":-1},"Capabilities":{"bounding":["CAP_SYS_ADMIN"]}}`, 0),
		"two documents":              text(`{"pids":{"limit":5}}{"pids":{"limit":-1}}`, 0),
		"a number that is no number": text(`{"pids":{"limit":1e400},"user":{"uid":1e400}}`, 0),
		"a secret that is none":      text(secret, 0),
		"nothing":                    text("", 0),
	} {
		for _, args := range [][]string{{"update", "--resources", "FILE", "c1"}, {"exec", "--process", "FILE", "c1"}} {
			t.Run(name+" "+args[0], func(t *testing.T) {
				d := created(t, "profile: builtin/restricted\n")
				file := d.dir + "/file"
				place(t, file)
				begun := time.Now()
				out, code := d.call(t, nil, args[0], args[1], file, args[3])
				d.wantHeld(t, name, out, code, "hatchdog: container c1")
				if strings.Contains(out, secret) || len(out) > 2000 || time.Since(begun) > 20*time.Second {
					t.Errorf("after %s: %.3000s", time.Since(begun), out)
				}
			})
		}
	}
}

// A further process does not leave the limits of its container by its control group.
func TestExecLeavesNoGroup(t *testing.T) {
	for _, group := range []string{"../..", "memory:../other", "/a/../../../"} {
		d := created(t, "profile: builtin/restricted\n")
		out, code := d.call(t, nil, "exec", "--cgroup", group, "c1", "sh")
		d.wantHeld(t, group, out, code, "out of the container's control group")
	}
}
