package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// exchange swaps two names for each other until the test says stop, as a process
// of another container does that shares the volume.
func exchange(t *testing.T, a, b string) (stop func()) {
	t.Helper()
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !done.Load() {
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
	}()
	return func() { done.Store(true); <-ended }
}

// A volume on which another container swaps a folder for a link, while the
// low-level runtime mounts there (CVE-2021-30465): what is mounted comes to be over
// the folder that holds the sources of later mounts, on the host as the runtime sees
// it. Behind hatchdog sources are mounts elsewhere.
func TestReplayOfAnExchangedFolder(t *testing.T) {
	old := cached(t, "old-runc-2021-*/runc")
	d := newDirect(t)
	must(t, os.Chmod(filepath.Dir(d.dir), 0o755))
	held, secret := t.TempDir(), t.TempDir()
	for _, dir := range []string{"/volume/a", "/trap", "/goal"} {
		must(t, os.MkdirAll(held+dir, 0o755))
	}
	must(t, os.WriteFile(secret+"/file", []byte("OUTSIDE\n"), 0o644))
	// What is mounted over the folder looks like it, except for one link.
	for name, to := range map[string]string{"goal": secret, "trap": ".", "volume": "."} {
		must(t, os.Symlink(to, held+"/trap/"+name))
	}
	d.edit(t, func(s *specs.Spec) {
		s.Process.Args = []string{"/bin/sh", "-c", "exec >/out 2>&1; read l </goal/file; echo got $l"}
		s.Root.Readonly, s.Version = false, "1.0.2"
		s.Mounts = append(s.Mounts, bindOf(held+"/volume", "/volume"))
		for range 24 {
			s.Mounts = append(s.Mounts, bindOf(held+"/trap", "/volume/a"))
		}
		s.Mounts = append(s.Mounts, bindOf(held+"/goal", "/goal"))
	})
	// Who wins the race is chance: the runtime of that day has a minute.
	try := func(link string, most time.Duration, start func(id string)) string {
		_ = os.Remove(held + "/volume/b")
		must(t, os.Symlink(link, held+"/volume/b"))
		stop := exchange(t, held+"/volume/a", held+"/volume/b")
		defer stop()
		end := time.Now().Add(most)
		for n := 0; n < 20 || time.Now().Before(end); n++ {
			_ = os.Remove(d.bundle + "/rootfs/out")
			start(fmt.Sprint("c", n))
			if saw, _ := os.ReadFile(d.bundle + "/rootfs/out"); strings.Contains(string(saw), "OUTSIDE") {
				return string(saw)
			}
		}
		return ""
	}
	plain := func(id string) {
		_ = exec.Command(old, "--root", d.dir+"/plain", "run", "--bundle", d.bundle, id).Run()
	}
	if try(held, time.Minute, plain) == "" {
		t.Error("it does not go through with the runtime of that day")
	}
	d.accept(t, "{path: "+old+", "+accepts("runc 1.0.0-rc94")+"}", "p: {extends: builtin/restricted, userns: {mode: off}}")
	behind := func(id string) { _, _ = d.call(t, nil, "run", "--bundle", d.bundle, id) }
	if saw := try(held, 0, behind); saw != "" {
		t.Errorf("behind hatchdog: %s", saw)
	}
}

// A volume at /dev on which another container swaps the folder of terminals for
// one of its own, in which a terminal is a link (CVE-2025-52565): /dev/console is
// a file of procfs then. hatchdog refuses such a volume.
func TestReplayOfAnExchangedTerminal(t *testing.T) {
	old := cached(t, "old-runc-2025-*/runc")
	d := newDirect(t)
	must(t, os.Chmod(filepath.Dir(d.dir), 0o755))
	dev := t.TempDir()
	for _, dir := range []string{"/pts", "/fake"} {
		must(t, os.MkdirAll(dev+dir, 0o755))
	}
	must(t, os.Symlink("pts/ptmx", dev+"/ptmx"))
	must(t, os.Symlink("/proc/sys/kernel/domainname", dev+"/fake/0"))
	must(t, unix.Mknod(dev+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	d.edit(t, func(s *specs.Spec) {
		s.Process.Terminal = true
		s.Process.Args = []string{"/bin/sh", "-c", "exec >/out 2>&1; /bin/grep /dev/console /proc/self/mountinfo"}
		s.Root.Readonly, s.Version = false, "1.0.2"
		mounts := []specs.Mount{bindOf(dev, "/dev")}
		for _, m := range s.Mounts {
			if m.Destination != "/dev" && (m.Destination == "/dev/pts" || !strings.HasPrefix(m.Destination, "/dev/")) {
				mounts = append(mounts, m)
			}
		}
		s.Mounts = mounts
	})
	stop := exchange(t, dev+"/pts", dev+"/fake")
	defer stop()
	led := false
	for n := 0; n < 300 && !led; n++ {
		_ = os.Remove(d.bundle + "/rootfs/out")
		_ = exec.Command("script", "-qec", old+" --root "+d.dir+"/plain run --bundle "+d.bundle+" "+fmt.Sprint("c", n), "/dev/null").Run()
		saw, _ := os.ReadFile(d.bundle + "/rootfs/out")
		led = strings.Contains(string(saw), "domainname")
	}
	if !led {
		t.Error("it does not go through with the runtime of that day")
	}
	out, code := d.create(t)
	d.wantRefused(t, out, code, "make devices and terminals")
}
