package freshness

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	seccomp "github.com/moby/profiles/seccomp"

	"github.com/hatchdog/hatchdog/profiles/syscalls"
)

func known(name string) bool { return slices.Contains(strings.Fields(syscalls.Text), name) }

// golang.org/x/sys takes them from the headers of the newest kernel.
func TestSyscallsOfTheKernel(t *testing.T) {
	// Constants of the headers that are no calls.
	others := []string{"syscall_mask", "arch_specific_syscall", "oabi_syscall_base", "syscall_base"}
	for _, arch := range []string{"amd64", "386", "arm64", "arm", "riscv64"} {
		file := filepath.Join(required(t, "golang.org/x/sys"), "unix/zsysnum_linux_"+arch+".go")
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\tSYS_([A-Z0-9_]+)\s+=`).FindAllStringSubmatch(string(source), -1)
		if len(names) < 250 {
			t.Fatalf("%s: %d calls: the form of the file has changed", file, len(names))
		}
		for _, m := range names {
			if name := strings.ToLower(m[1]); !known(name) && !slices.Contains(others, name) {
				t.Errorf("%s has the call %s, and profiles/syscalls has not", arch, name)
			}
		}
	}
}

func TestSyscallsOfDocker(t *testing.T) {
	n := 0
	for _, rule := range seccomp.DefaultProfile().Syscalls {
		for _, name := range rule.Names {
			n++
			if !known(name) {
				t.Errorf("Docker's filter names %s, and profiles/syscalls has not", name)
			}
		}
	}
	if n < 300 {
		t.Errorf("%d calls: this proves little", n)
	}
}
