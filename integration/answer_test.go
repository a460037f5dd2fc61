package integration

import (
	"bufio"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func (m *made) ctl(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return run(t, "env", append([]string{"HATCHDOG_POLICY=" + m.dir + "/policy.yaml", tested.hatchctl}, args...)...)
}

func (m *made) mustCtl(t *testing.T, args ...string) string {
	t.Helper()
	out, code := m.ctl(t, args...)
	if code != 0 {
		t.Fatalf("hatchctl %v: exit code %d\n%s", args, code, out)
	}
	return out
}

// A frozen container does nothing, also one that makes processes without end, and
// goes on where it was when it is thawed.
func TestFreezeAndThaw(t *testing.T) {
	b := box{
		name: "frozen", policy: "profile: restricted\n",
		files: func(t *testing.T, _, vol string) { must(t, os.Chmod(vol, 0o777)) },
		edit: func(_ *testing.T, s *specs.Spec, vol string) {
			s.Mounts = append(s.Mounts, bind(vol, "/vol", "rw"))
			s.Process.Args = []string{"/bin/sh", "-c", "while :; do /bin/busybox true; echo x >>/vol/counter; done"}
		},
	}
	m := b.make(t)
	t.Cleanup(func() { m.ctl(t, "thaw", m.name); m.stop(t) })
	m.start(t)
	size := func() int64 {
		info, err := os.Stat(m.dir + "/vol/counter")
		if err != nil {
			return 0
		}
		return info.Size()
	}
	waitFor(t, "the container to count", func() bool { return size() > 0 })
	for range 8 {
		wantLines(t, m.mustCtl(t, "freeze", m.name), "frozen is frozen")
		at := size()
		time.Sleep(300 * time.Millisecond)
		if now := size(); now != at {
			t.Errorf("it counts on while it is frozen: %d, %d", at, now)
		}
		m.mustCtl(t, "freeze", m.name) // a second time changes nothing
		m.mustCtl(t, "thaw", m.name)
		waitFor(t, "the container to go on", func() bool { return size() > at })
	}
	if out, code := m.ctl(t, "freeze", "nobody"); code != 3 || !strings.Contains(out, "no container") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// A container that is cut off reaches nothing but what is listed, not even over a
// connection that is open; afterwards it has its own rules again.
func TestIsolateAndRejoin(t *testing.T) {
	o := startOutside(t)
	const port = "7777"
	var lines atomic.Int64
	must(t, inNamespace(t, o.path, func() error {
		l, err := net.Listen("tcp4", ":"+port)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					for s := bufio.NewScanner(c); s.Scan(); {
						lines.Add(1)
					}
				}()
			}
		}()
		return nil
	}))
	b := box{
		name: "cutoff", policy: "profile: restricted\n",
		edit: func(t *testing.T, s *specs.Spec, _ string) {
			joinNetwork(s, bare(t, "hd-cut"))
			s.Process.Args = []string{"/bin/sh", "-c", "(while :; do echo x; sleep 0.05; done) | nc " + outsideAddr + " " + port}
		},
	}
	m := b.make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	waitFor(t, "the open connection", func() bool { return lines.Load() > 2 })
	reaches := func(addr, port string) bool {
		_, code := m.exec(t, "echo x | nc -w1 "+addr+" "+port+" | grep -q x")
		return code == 0
	}
	want := func(when string, first, second bool) {
		t.Helper()
		if got := reaches(outsideAddr, "80"); got != first {
			t.Errorf("%s: port 80 is reached: %v", when, got)
		}
		if got := reaches(outsideAddr, servicePort); got != second {
			t.Errorf("%s: port %s is reached: %v", when, servicePort, got)
		}
		if reaches(metadataAddr, "80") {
			t.Errorf("%s: the metadata service is reached", when)
		}
	}
	want("before", true, true)
	wantLines(t, m.mustCtl(t, "isolate", m.name), "cutoff is cut off, except for loopback")
	at := lines.Load()
	time.Sleep(500 * time.Millisecond)
	if now := lines.Load(); now > at+1 {
		t.Errorf("%d lines came over the open connection", now-at)
	}
	want("cut off", false, false)
	m.mustCtl(t, "isolate", m.name, "--allow", outsideAddr+":80/tcp")
	want("one is listed", true, false)
	m.mustCtl(t, "isolate", m.name, "--allow", metadataAddr) // its own rules hold
	want("metadata is listed", false, false)
	m.mustCtl(t, "rejoin", m.name)
	want("afterwards", true, true)
	waitFor(t, "the connection to go on", func() bool { return lines.Load() > at+2 })
	if out, code := m.ctl(t, "rejoin", m.name); code != 3 || !strings.Contains(out, "not isolated") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, code := m.ctl(t, "isolate", m.name, "--allow", "nonsense"); code != 3 || !strings.Contains(out, "nonsense") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// Whoever shares the host's network is not cut off, and the host is not.
func TestIsolateLeavesTheHost(t *testing.T) {
	b := box{
		name: "hostnet", policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, namespaces: {host: [network]}, userns: {mode: off}, egress: {default: allow, allow: [], deny: []}}\n",
		edit: func(_ *testing.T, s *specs.Spec, _ string) {
			var kept []specs.LinuxNamespace
			for _, n := range s.Linux.Namespaces {
				if n.Type != specs.NetworkNamespace {
					kept = append(kept, n)
				}
			}
			s.Linux.Namespaces = kept
		},
	}
	m := b.make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	if out, code := m.ctl(t, "isolate", m.name); code != 3 || !strings.Contains(out, "shares the host's network") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, _ := run(t, "nft", "list", "tables"); strings.Contains(out, "hatchdog-isolated") {
		t.Errorf("the host is cut off\n%s", out)
	}
	if out, code := m.ctl(t, "why", m.name, "9.9.9.9:80"); code != 2 || !strings.Contains(out, "host's network") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}
