package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// resolvers are the processes that look names up for the containers of a test, by
// the record's folder that their status is in.
func resolvers(t *testing.T, dir string) []int {
	t.Helper()
	var all []int
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, p := range processes {
		line, err := os.ReadFile(p)
		if err != nil || string(line) != "hatchdog\x00names-resolver\x00" {
			continue
		}
		fds, _ := filepath.Glob(filepath.Dir(p) + "/fd/*")
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir+"/") {
				pid := 0
				_, err := fmt.Sscanf(p, "/proc/%d/", &pid)
				must(t, err)
				all = append(all, pid)
			}
		}
	}
	return all
}

// A kill at any step of start leaves a container that the next start gives its
// names, and no second resolver. An error leaves nothing.
func TestNamesStartThatIsKilled(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, namesProfile(namesMounts(dir)))
	want := map[string]bool{"tcp=other.example.test:80": false, "tcp=public.example.test:80": true, "tcp=" + outsideAddr + ":80": false}
	for _, at := range []string{"found", "ruled", "named", "held"} {
		for _, how := range []string{"kill", "error"} {
			h := createBundle(t, dir, "names-"+at+"-"+how, bundleOf(t, append(keys(want), "sleep=100s"), withResolver(t, dir)))
			h.wire(t, "hd"+at, "10.219.0", "fd00:219")
			if out, code := h.engines(t, "env", "HATCHDOG_FAULT="+at+"="+how, tested.faulty, "--root", dir+"/root", "start", h.id); code == 0 {
				t.Fatalf("%s=%s: %s", at, how, out)
			}
			if how == "kill" {
				if out, code := h.hatchdog(t, "start", h.id); code != 0 {
					t.Fatal(out)
				}
				wantReach(t, h.output(t, len(want)), want)
				if all := resolvers(t, dir); len(all) != 1 {
					t.Errorf("%s: resolvers %v", at, all)
				}
			}
			h.hatchdog(t, "delete", "--force", h.id)
			waitFor(t, "the resolver to end", func() bool { return len(resolvers(t, dir)) == 0 })
			ns, err := netns()
			must(t, err)
			run(t, "nsenter", "--net="+ns, "ip", "link", "delete", "hd"+at)
			time.Sleep(50 * time.Millisecond)
		}
	}
	if left, err := filepath.Glob(dir + "/state/*/*/resolver*"); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// A container that is killed, whoever else is, takes its resolver with it.
func TestNamesContainerKilled(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, namesProfile(namesMounts(dir)))
	h := createBundle(t, dir, "lonely", bundleOf(t, []string{"sleep=100s"}, withResolver(t, dir)))
	if out, code := h.hatchdog(t, "start", "lonely"); code != 0 {
		t.Fatal(out)
	}
	if len(resolvers(t, dir)) != 1 {
		t.Fatal("no resolver")
	}
	pid := 0
	_, err := fmt.Sscan(read(t, dir+"/lonely.pid"), &pid)
	must(t, err)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		t.Fatal(err)
	}
	waitFor(t, "the resolver to end", func() bool { return len(resolvers(t, dir)) == 0 })
}
