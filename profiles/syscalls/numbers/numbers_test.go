package numbers

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/profiles/syscalls"
)

func TestNames(t *testing.T) {
	known := strings.Fields(syscalls.Text)
	for _, arch := range []string{"amd64", "arm64"} {
		names := Names(arch)
		if len(names) < 300 {
			t.Errorf("%s: %d calls", arch, len(names))
		}
		for n, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%s: %d %s is no call that libseccomp or a table knows", arch, n, name)
			}
		}
	}
	own := Names(runtime.GOARCH)
	for n, want := range map[int]string{unix.SYS_READ: "read", unix.SYS_MOUNT: "mount", unix.SYS_OPENAT2: "openat2", unix.SYS_BPF: "bpf"} {
		if own[n] != want {
			t.Errorf("%d is %q, want %q", n, own[n], want)
		}
	}
}
