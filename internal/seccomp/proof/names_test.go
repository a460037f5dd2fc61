//go:build cgo

package proof

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	libseccomp "github.com/seccomp/libseccomp-golang"

	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

var update = flag.Bool("update", false, "add names to names.txt")

// Every call that libseccomp or a table knows is in names.txt, against which
// policies are checked. A later libseccomp adds names, and none goes away.
func TestGoldenNames(t *testing.T) {
	want := seccomp.Calls()
	for _, arch := range tokens {
		for nr := range 6000 {
			if name, err := libseccomp.ScmpSyscall(nr).GetNameByArch(arch); err == nil {
				want = append(want, name)
			}
		}
	}
	for _, name := range tables.Names() {
		table, err := tables.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, table.Calls()...)
	}
	slices.Sort(want)
	text := strings.Join(slices.Compact(want), "\n") + "\n"
	const file = "../../../profiles/syscalls/names.txt"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != text {
		t.Errorf("names.txt lacks names; run make golden (%v)", err)
	}
}
