package probe

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// compat makes the call 175 of 32-bit programs, rt_sigprocmask, whose number is that of
// init_module, and their 20, getpid; then an unshare of 64-bit programs.
const compat = `import ctypes, mmap, sys
sys.stdin.readline()
m = mmap.mmap(-1, 4096, prot=7)
#                    push rbx; xor ebx,ebx; xor ecx,ecx; xor edx,edx; mov esi,8; mov eax,175; int 80; mov eax,20; int 80; pop rbx; ret
m.write(bytes.fromhex("53 31db 31c9 31d2 be08000000 b8af000000 cd80 b814000000 cd80 5b c3"))
f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
assert f() == 1, "no calls of 32-bit programs"
ctypes.CDLL(None).unshare(0x04000000)
`

func TestCallsOf32BitProgramsAreNotOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for BPF")
	}
	w, err := StartWatch(true)
	must(t, err)
	defer w.Close()
	r, err := Record(recorderCalls(), nil)
	must(t, err)
	defer r.Close()
	space := inPidSpace(t, w, firstUserNS, compat)
	unshared := false
	for _, s := range seen(t, w) {
		if s.Call == CallInitModule {
			t.Error("rt_sigprocmask of a 32-bit program is told as init_module")
		}
		unshared = unshared || s.Space == space && s.Call == CallUnshare
	}
	if !unshared {
		t.Errorf("unshare was not told of; %d events were lost, %d of all", w.Lost(space), w.LostOfAll())
	}
	must(t, r.Entries(func(n Namespace) bool { return n.Inode == space }, func(Namespace) bool { return false }, func(e Entry) {
		if e.Kind == KindCall && e.What == CallInitModule {
			t.Errorf("%+v", e)
		}
	}))
}

// inPidSpace runs a program of Python in a pid namespace of its own, which is watched
// from before it reads a line, and returns that namespace.
func inPidSpace(t *testing.T, w *Watch, user uint32, code string) uint32 {
	t.Helper()
	cmd := exec.Command("python3", "-c", code)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	link, err := os.Readlink("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/pid")
	must(t, err)
	space, err := strconv.ParseUint(strings.Trim(strings.TrimPrefix(link, "pid:"), "[]"), 10, 32)
	must(t, err)
	must(t, w.Add(uint32(space), user, ^uint64(0)))
	_, err = in.Write([]byte("go\n"))
	must(t, err)
	if err := cmd.Wait(); err != nil {
		if strings.Contains(said.String(), "no calls of 32-bit programs") {
			t.Skip("this kernel has no calls of 32-bit programs (CONFIG_IA32_EMULATION)")
		}
		t.Fatal(err, said.String())
	}
	return uint32(space)
}

// seen reads all that is there.
func seen(t *testing.T, w *Watch) []Sight {
	t.Helper()
	w.reader.SetDeadline(time.Now().Add(-time.Second))
	var all []Sight
	for {
		s, ok, err := w.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		must(t, err)
		if !ok {
			return all
		}
		all = append(all, s)
	}
}
