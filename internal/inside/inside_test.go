package inside

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// self is this test as a container's first process.
func self(t testing.TB) (lowlevel.Init, *Process) {
	t.Helper()
	init := lowlevel.Init{Pid: os.Getpid()}
	p, err := ReadProcess(init)
	must(t, err)
	return init, p
}

func TestProcess(t *testing.T) {
	_, p := self(t)
	if int(p.UID) != os.Geteuid() || p.Limits["RLIMIT_NOFILE"].Soft == 0 || p.OpenFiles == 0 || len(p.UIDs) == 0 || p.InnerPid == "" {
		t.Errorf("%+v", p)
	}
	if _, err := ReadProcess(lowlevel.Init{Pid: os.Getpid(), Started: 1}); !errors.Is(err, ErrGone) {
		t.Errorf("another process of that pid: %v", err)
	}
}

func TestLook(t *testing.T) {
	init, p := self(t)
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/file", nil, 0o640))
	must(t, os.Mkdir(dir+"/d", 0o755))
	for name, to := range map[string]string{"abs": dir + "/file", "rel": "file", "up": "d/../../" + filepath.Base(dir) + "/file", "round": dir + "/round", "no": "/nowhere/at/all"} {
		must(t, os.Symlink(to, dir+"/"+name))
	}
	for name, want := range map[string]error{
		"file": nil, "abs": nil, "rel": nil, "up": nil, "d/../rel": nil, "round": ErrLoop, "no": fs.ErrNotExist, "file/x": ErrNotDir, "x": fs.ErrNotExist,
	} {
		place, err := Look(init, p, dir+"/"+name)
		must(t, err)
		if !errors.Is(place.Err, want) || want == nil && (place.Node.Path != dir+"/file" || place.Node.Mode&0o777 != 0o640 || place.Node.Mount == nil) {
			t.Errorf("%s: %+v", name, place)
		}
		place.Close()
	}
	place, err := Look(init, p, "/proc/self/status")
	must(t, err)
	defer place.Close()
	if place.Err != nil || place.Node.Path != fmt.Sprintf("/proc/%d/status", os.Getpid()) {
		t.Errorf("%+v", place)
	}
	magic, err := Look(init, p, "/proc/self/exe")
	must(t, err)
	defer magic.Close()
	if !errors.Is(magic.Err, ErrMagic) {
		t.Errorf("%+v", magic)
	}
}

// However links and dots are put together, the way is the kernel's own.
func TestLookGoesAsTheKernelDoes(t *testing.T) {
	init, p := self(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/a/b", 0o755))
	must(t, os.WriteFile(dir+"/a/f", nil, 0o600))
	must(t, os.Symlink("a/b", dir+"/l"))
	must(t, os.Symlink("../f", dir+"/a/b/m"))
	must(t, os.Symlink(dir, dir+"/a/top"))
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "f", "l", "m", "top", "..", ".", ""}), 0, 8).Draw(rt, "names")
		name := dir + "/" + strings.Join(names, "/")
		werr := unix.Access(name, unix.F_OK)
		got, err := Look(init, p, name)
		if err != nil {
			rt.Fatal(err)
		}
		defer got.Close()
		if !errors.Is(got.Err, werr) {
			rt.Fatalf("%s: %v, the kernel %v", name, got.Err, werr)
		}
	})
}

func TestSocketAddress(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90": "127.0.0.1:8080", "00000000:0050": "0.0.0.0:80",
		"00000000000000000000000001000000:0035": "[::1]:53", "0000000000000000FFFF00000100007F:0035": "127.0.0.1:53",
	} {
		if got, ok := socketAddress(text); !ok || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}

const records = `5,7,10500000,-;audit: type=1326 audit(1700000000.250:7): auid=4294967295 uid=1879048192 gid=0 ses=4294967295 subj=unconfined pid=42 comm="x y" exe="/bin/busybox" sig=0 arch=c000003e syscall=165 compat=0 ip=0x4 code=0x50001
5,8,10600000,-;audit: type=1326 audit(1700000000.260:8): auid=0 uid=5 gid=0 ses=1 pid=43 comm=0A747970653D3133323620 exe="/x" sig=0 arch=c000003e syscall=1 compat=0 ip=0x4 code=0x7ffc0000
5,9,11000000,c;audit: type=1400 audit(1700000001.000:9): apparmor="DENIED" operation="open" class="file" profile="hatchdog-restricted" name=2F612062 pid=44 comm=1B5B33316D requested_mask="r" denied_mask="r" fsuid=7 ouid=0
5,10,12000000,-;audit: type=1400 audit(1700000001.000:9): apparmor="ALLOWED" operation="open" profile="p" name="/b" pid=45 comm="c"
6,11,13000000,-;a driver says audit: nothing
4,12,14000000,-;a file system has no option ;audit: type=1326 audit(1700000000.250:7): uid=5 pid=46 comm="forged" arch=c000003e syscall=1 code=0x50001
13,13,15000000,-;audit: type=1326 audit(1700000000.250:7): uid=5 pid=47 comm="written" arch=c000003e syscall=1 code=0x50001
5,15,17000000,caller=T12;audit: type=1326 audit(1700000002.000:10): auid=0 uid=6 gid=0 ses=1 pid=47 comm="z" exe="/x" sig=0 arch=40000003 syscall=2 compat=0 ip=0x4 code=0x50001
5,14,16000000,-;audit: type=1107 audit(1700000000.255:8): pid=48 uid=0 msg='x'\x0aaudit: type=1326 audit(1700000000.256:9): uid=5 pid=48 comm="forged" arch=c000003e syscall=1 code=0x50001'
`

func TestDenials(t *testing.T) {
	got, since := parseLog([]byte(records), time.Unix(1000, 0))
	if len(got) != 3 || got[2].Pid != 47 || !got[2].Foreign || got[0].Foreign || !since.Equal(time.Unix(1010, 500_000_000)) {
		t.Fatalf("%v %+v", since, got)
	}
	if d := got[0]; d.Module != "seccomp" || d.Pid != 42 || d.UID != 1879048192 || d.Call != 165 || d.Command != "x y" || d.Time.UnixMilli() != 1700000000250 {
		t.Errorf("%+v", d)
	}
	if d := got[1]; d.Module != "apparmor" || d.Name != "/a b" || d.Command != "\x1b[31m" || d.Profile != "hatchdog-restricted" || d.UID != 7 {
		t.Errorf("%+v", d)
	}
}

func TestDenialsOfSELinux(t *testing.T) {
	const at = "audit: type=1400 audit(1700000001.000:9): "
	const words = `pid=44 comm="cat" name=2F612062 dev="vda" ino=7 scontext=system_u:system_r:container_t:s0:c1,c2 tcontext=system_u:object_r:var_t:s0 tclass=file permissive=`
	log := ""
	for i, line := range []string{
		at + "avc:  denied  { read open } for  " + words + "0",
		at + "avc:  denied  { read } for  " + words + "1",
		at + "avc:  granted  { read } for  " + words + "0",
		at + `apparmor="ALLOWED" comm="avc:  denied  { read } for  " ` + words + "0",
	} {
		log += fmt.Sprintf("5,%d,10500000,-;%s\n", i, line)
	}
	got, _ := parseLog([]byte(log), time.Unix(1000, 0))
	want := Denial{
		Time: time.Unix(1700000001, 0), Module: "selinux", Pid: 44, UID: nobody, Command: "cat", Action: "read open", Name: "/a b",
		Profile: "system_u:system_r:container_t:s0:c1,c2", Target: "system_u:object_r:var_t:s0", Class: "file",
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	daemon := "type=AVC msg=audit(1700000001.000:9): avc:  denied  { read open } for  " + words + "0"
	if d, ok := parseDenial(daemon); !ok || d != want {
		t.Errorf("of a daemon: %v %+v", ok, d)
	}
}

func FuzzDenials(f *testing.F) {
	f.Add([]byte(records))
	f.Fuzz(func(_ *testing.T, log []byte) { parseLog(log, time.Time{}) })
}

func TestCounted(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pids.max": "8\n", "pids.current": "3\n", "pids.events": "max 5\n", "memory.max": "max\n", "memory.peak": "77\n",
		"memory.events": "low 0\nmax 2\noom_kill 1\n", "cpu.max": "10000 100000\n", "cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_usec 1500\n",
	} {
		must(t, os.WriteFile(dir+"/"+name, []byte(text), 0o600))
	}
	two := ReadCounted(map[string]string{"": dir})
	want := Counted{
		PidsMax: 8, PidsNow: 3, PidsPeak: None, PidsHits: 5, MemoryMax: None, MemoryPeak: 77, MemoryHits: 2, OOMKills: 1, CPUQuota: 10000, CPUPeriod: 100000,
		CPUPeriods: 9, CPUThrottled: 4, ThrottledFor: 1500 * time.Microsecond, HasPids: true, HasMemory: true, HasCPU: true,
	}
	if two != want {
		t.Errorf("%+v", two)
	}
	for name, text := range map[string]string{
		"memory.limit_in_bytes": "9223372036854771712\n", "memory.failcnt": "2\n", "memory.max_usage_in_bytes": "77\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
		"cpu.cfs_quota_us": "10000\n", "cpu.cfs_period_us": "100000\n", "cpu.stat": "nr_periods 9\nnr_throttled 4\nthrottled_time 1500000\n",
	} {
		must(t, os.WriteFile(dir+"/"+name, []byte(text), 0o600))
	}
	if one := ReadCounted(map[string]string{"pids": dir, "memory": dir, "cpu": dir}); one != want {
		t.Errorf("%+v", one)
	}
	if gone := ReadCounted(map[string]string{"": dir + "/none"}); !gone.Gone {
		t.Errorf("%+v", gone)
	}
}
