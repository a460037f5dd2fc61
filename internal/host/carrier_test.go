package host

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/retest"
)

// children are the processes that this one started and has not waited for.
func children(tb testing.TB) string {
	tb.Helper()
	data, err := os.ReadFile("/proc/thread-self/children")
	if err != nil {
		tb.Skip("the kernel does not list children")
	}
	return strings.TrimSpace(string(data))
}

func TestUserNamespaceLeavesNoProcess(t *testing.T) {
	retest.NeedRoot(t, "map ids")
	before := children(t)
	fd, err := UserNamespace(IDRange{Base: 1879048192, Size: 65536})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if now := children(t); now != before {
		t.Errorf("children %q, before %q", now, before)
	}
	flag, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil || flag != unix.CLONE_NEWUSER {
		t.Errorf("%x %v", flag, err)
	}
	own, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || got == own {
		t.Errorf("%s is our own: %v", got, err)
	}
}

func TestProbesAnswerForThisKernel(t *testing.T) {
	retest.NeedRoot(t, "map ids")
	dir := t.TempDir()
	p := newIdmapProbe(dir)
	if s := p.userNamespaces(); !s.OK {
		t.Error(s)
	}
	if s := p.overlays("/usr"); !s.OK {
		t.Error(s)
	}
	if s := p.takesPath("/proc"); s.OK || !strings.Contains(s.Why, "proc") {
		t.Error(s)
	}
	p.close()
	again := newIdmapProbe(dir)
	if len(again.answers.Found) < 3 {
		t.Errorf("kept %v", again.answers)
	}
}

func BenchmarkUserNamespace(b *testing.B) {
	retest.NeedRoot(b, "map ids")
	for b.Loop() {
		fd, err := UserNamespace(IDRange{Base: 1879048192, Size: 65536})
		if err != nil {
			b.Fatal(err)
		}
		_ = unix.Close(fd)
	}
}
