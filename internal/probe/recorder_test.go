package probe

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

func recorderCalls() map[uint32]Call {
	numbers := map[string]uint32{"openat": syscall.SYS_OPENAT, "mkdir": syscall.SYS_MKDIR, "unlinkat": syscall.SYS_UNLINKAT, "bind": syscall.SYS_BIND, "connect": syscall.SYS_CONNECT}
	all := map[uint32]Call{syscall.SYS_SOCKET: {Class: classFile, Gives: true, First: NoArg, Second: NoArg, Parts: []Part{{0, 0x3f, 0}, {1, 0xf, 16}, {2, 0xffff, 32}}}}
	for name, number := range numbers {
		all[number] = Classes()[name]
	}
	return all
}

// What is done in a pid namespace is counted with what it was done to, and nothing
// of the host.
func TestRecorderCountsByNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for BPF")
	}
	r, err := Record(recorderCalls(), []Value{{syscall.SYS_SOCKET, 2 | 1<<16}})
	must(t, err)
	defer r.Close()
	dir := t.TempDir()
	work := `import os, socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); p = s.getsockname()[1]; s.listen()
c = socket.socket(); c.connect(("127.0.0.1", p))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 45453))
os.chdir("` + dir + `"); open("file-of-the-box", "w").write("x"); os.mkdir("dir-of-the-box"); open("/dev/zero").read(1)
open("bad\n- name: x\x1b[1m", "w")
for i in range(50000): os.getppid()
socket.socket(socket.AF_UNIX)
os.execv("/bin/true", ["true"])`
	cmd := exec.Command("python3", "-c", work)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	must(t, os.WriteFile(dir+"/file-of-the-host", nil, 0o600))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	states, err := r.States()
	must(t, err)
	var st syscall.Stat_t
	must(t, syscall.Stat(dir, &st))
	device := st.Dev>>8&0xfff<<20 | st.Dev&0xff | st.Dev>>12&0xfff00
	seen := map[string]Entry{}
	all := func(Namespace) bool { return true }
	none := func(Namespace) bool { return false }
	must(t, r.Entries(all, none, func(e Entry) {
		switch {
		case e.Kind == KindWrite && e.Text == "file-of-the-box" && e.Arg == device, e.Kind == KindWrite && e.Text == "dir-of-the-box" && e.Arg == device,
			e.Kind == KindWrite && e.Text == "bad\n- name: x\x1b[1m", e.Kind == KindProgram && e.Text == "/bin/true":
			seen[e.Text] = e
		case e.Kind == KindCall && e.What == syscall.SYS_GETPPID && e.Count >= 50000:
			seen["getppid"] = e
		case e.Kind == KindCall && e.What == syscall.SYS_SOCKET && e.Arg == 2|1<<16 && e.Count == 2:
			seen["tcp"] = e
		case e.Kind == KindCall && e.What == syscall.SYS_SOCKET && e.Arg == OtherArgs:
			seen["other"] = e
		case e.Kind == KindListen && e.Address.Port() == 45453 && e.Arg == 2:
			seen["udp"] = e
		case e.Kind == KindReach && e.Address.Addr().IsLoopback() && e.Arg == 1:
			seen["reach"] = e
		case e.Kind == KindDevice && e.What == 1<<20|5 && e.Arg == 0:
			seen["zero"] = e
		}
		if e.Text == dir+"/file-of-the-host" {
			t.Errorf("of the host: %+v", e)
		}
	}))
	for _, want := range []string{"file-of-the-box", "dir-of-the-box", "bad\n- name: x\x1b[1m", "/bin/true", "getppid", "tcp", "other", "udp", "reach", "zero"} {
		e, ok := seen[want]
		if !ok {
			t.Errorf("%q was not seen", want)
		}
		if ok && (time.Since(e.First) > time.Minute || e.Last.Before(e.First)) {
			t.Errorf("%q: %+v", want, e)
		}
	}
	opened := func(s State) bool { return s.Namespace == seen["tcp"].Namespace && s.Files > 3 && s.Lost == 0 }
	if !slices.ContainsFunc(states, opened) || r.Unseen() != 0 {
		t.Errorf("%+v, %d", states, r.Unseen())
	}
}

// What has no room is counted, and what had room before goes on.
func TestRecorderBoundsAFlood(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for BPF")
	}
	r, err := Record(recorderCalls(), nil)
	must(t, err)
	defer r.Close()
	cmd := exec.Command("python3", "-c", `import os
for i in range(20000):
  try: os.mkdir("/no/such/%d" % i)
  except OSError: pass
os.chdir("`+t.TempDir()+`")
for i in range(6000): os.mkdir(str(i))`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	must(t, cmd.Run())
	states, err := r.States()
	must(t, err)
	n := map[Namespace]int{}
	must(t, r.Entries(func(Namespace) bool { return true }, nil, func(e Entry) {
		if e.Kind == KindWrite {
			n[e.Namespace]++
		}
	}))
	for _, s := range states {
		if n[s.Namespace] >= textsMost-100 && n[s.Namespace] <= textsMost && s.Lost >= 6000-textsMost {
			return
		}
	}
	t.Errorf("%+v %v", states, n)
}
