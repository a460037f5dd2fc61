package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// applets gives the image of a bundle more programs.
func applets(t *testing.T, d *direct, names ...string) {
	t.Helper()
	for _, name := range names {
		must(t, os.Symlink("sh", filepath.Join(d.bundle, "rootfs/bin", name)))
	}
}

// inside runs a command under a profile and returns what it says.
func inside(t *testing.T, profile, command string, edit func(*specs.Spec)) string {
	t.Helper()
	d := newPinned(t, command)
	must(t, os.Chmod(filepath.Dir(d.dir), 0o755)) // the root of a user namespace passes through
	applets(t, d, "cat", "cp", "chmod")
	d.setPolicy(t, "profile: "+profile+"\n")
	if edit != nil {
		d.edit(t, edit)
	}
	out, _ := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
	return out
}

// limitsOf reads "Max open files  65536  65536  files" of /proc/PID/limits.
func limitsOf(out, name string) string {
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.Join(strings.Fields(rest)[:2], "/")
		}
	}
	return ""
}

func TestLimitsThatAreForced(t *testing.T) {
	for profile, want := range map[string][3]string{
		"builtin/restricted": {"65536/65536", "8388608/8388608", "1024/1024"},
		"builtin/untrusted":  {"16384/16384", "1048576/1048576", "256/256"},
	} {
		limit := func(hard uint64, names ...string) func(*specs.Spec) {
			return func(s *specs.Spec) {
				s.Process.Rlimits = nil
				for _, n := range names {
					s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: n, Soft: hard, Hard: hard})
				}
			}
		}
		out := inside(t, profile, "cat /proc/self/limits", limit(1<<62, "RLIMIT_NPROC"))
		for i, name := range []string{"Max open files", "Max locked memory", "Max processes"} {
			if got := limitsOf(out, name); got != want[i] && !within64(got, want[i]) {
				t.Errorf("%s: %s is %q, want %q or what the host has below", profile, name, got, want[i])
			}
		}
		out = inside(t, profile, "cat /proc/self/limits", limit(100, "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK"))
		for _, name := range []string{"Max open files", "Max locked memory", "Max processes"} {
			if got := limitsOf(out, name); got != "100/100" {
				t.Errorf("%s: %s is %q, and the request is stricter", profile, name, got)
			}
		}
	}
}

// within64 tells whether a limit that the host gives is the stricter one.
func within64(got, want string) bool {
	var soft, hard, most uint64
	n, _ := fmt.Sscanf(got+" "+want, "%d/%d %d/", &soft, &hard, &most)
	return n == 3 && hard <= most && soft <= hard
}

// Without a user namespace the kernel would count what others run as the same
// user.
func TestNoLimitOfProcessesWithoutAUserNamespace(t *testing.T) {
	d := newPinned(t, "cat /proc/self/limits")
	applets(t, d, "cat")
	d.setPolicy(t, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, userns: {mode: off}}\n")
	out, _ := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
	if got := limitsOf(out, "Max processes"); got == "" || got == "1024/1024" {
		t.Error(out)
	}
}

func TestNothingRunsOnDev(t *testing.T) {
	out := inside(t, "builtin/restricted", "cp /bin/sh /dev/x && chmod 755 /dev/x && /dev/x -c 'echo ran'; echo zero >/dev/null && echo written", nil)
	if strings.Contains(out, "ran\n") || !strings.Contains(out, "ermission denied") || !strings.Contains(out, "written") {
		t.Error(out)
	}
}

func TestDisksOfTheHostAreHidden(t *testing.T) {
	const look = "echo /sys/block/* /sys/class/block/* /sys/dev/block/* /sys/devices/virtual/block/*; [ -e /sys/class/net/lo ] && echo net"
	if out := inside(t, "builtin/baseline", look, nil); !strings.Contains(out, "/sys/block/") || strings.Contains(out, "/sys/block/*") {
		t.Skip("this host shows no disks") // nothing to hide
	}
	out := inside(t, "builtin/restricted", look, nil)
	if !strings.Contains(out, "/sys/block/* /sys/class/block/* /sys/dev/block/* /sys/devices/virtual/block/*") || !strings.Contains(out, "net\n") {
		t.Error(out)
	}
}

// What the engine mounts for names is read alone, and what the container writes
// on a volume does not run, under untrusted. A volume that is read-only does.
func TestWritablePlacesUnderUntrusted(t *testing.T) {
	names, data, code := filepath.Join(t.TempDir(), "hosts"), t.TempDir(), t.TempDir()
	must(t, os.WriteFile(names, []byte("127.0.0.1 localhost\n"), 0o644))
	sh, err := os.ReadFile("/bin/busybox")
	must(t, err)
	for _, dir := range []string{data, code} {
		must(t, os.Chmod(dir, 0o777))
		must(t, os.WriteFile(filepath.Join(dir, "sh"), sh, 0o755))
	}
	edit := func(s *specs.Spec) {
		bindTo("/etc/hosts", names, "rbind", "rprivate")(s)
		bindTo("/data", data, "rbind", "rprivate", "rw")(s)
		bindTo("/code", code, "rbind", "ro")(s)
	}
	const command = "/data/sh -c 'echo data runs'; /code/sh -c 'echo code runs'; echo x >/data/y && echo data written; echo x >>/etc/hosts && echo hosts written; cat /etc/hosts"
	out := inside(t, "builtin/untrusted", command, edit)
	wantLines(t, out, "code runs", "data written", "localhost")
	if strings.Contains(out, "data runs") || strings.Contains(out, "hosts written") {
		t.Error(out)
	}
	out = inside(t, "builtin/restricted", command, edit)
	wantLines(t, out, "code runs", "data runs", "data written", "hosts written")
}

// With hidepid a user sees no process of another one.
func TestProcessesOfOthersAreHidden(t *testing.T) {
	for profile, want := range map[string]string{"builtin/restricted": "/proc/1", "p": "/proc/1 is not there"} {
		d := newPinned(t, "while :; do read -t 1 x; done")
		must(t, os.Chmod(filepath.Dir(d.dir), 0o755))
		d.setPolicy(t, "profile: "+profile+"\nprofiles:\n  p: {extends: builtin/restricted, mounts: {procOptions: [hidepid=invisible]}}\n")
		t.Cleanup(func() { d.call(t, nil, "delete", "--force", "c1") })
		if out, code := d.call(t, nil, "run", "-d", "--bundle", d.bundle, "c1"); code != 0 {
			t.Fatal(out)
		}
		out, _ := d.call(t, nil, "exec", "--user", "1000:1000", "c1", "/bin/sh", "-c", "[ -d /proc/1 ] && echo /proc/1 || echo /proc/1 is not there; [ -d /proc/$$ ] && echo own")
		if !strings.HasPrefix(out, want+"\n") || !strings.Contains(out, "own") {
			t.Errorf("%s: %s", profile, out)
		}
	}
}
