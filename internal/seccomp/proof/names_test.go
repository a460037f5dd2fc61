//go:build cgo

package proof

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"

	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
	"github.com/hatchdog/hatchdog/profiles/syscalls"
)

var update = flag.Bool("update", false, "add names to names.txt")

// Every call that libseccomp or a table knows is in names.txt, with the
// architectures that have it. A later libseccomp adds some, and none goes away.
func TestGoldenNames(t *testing.T) {
	want := map[string]string{}
	for line := range strings.Lines(syscalls.Text) {
		name, have, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		want[name] = have
	}
	letters := map[specs.Arch]string{specs.ArchX86_64: "a", specs.ArchX86: "x", specs.ArchX32: "z", specs.ArchAARCH64: "r", specs.ArchARM: "s"}
	for arch, letter := range letters {
		for nr := range 6000 {
			name, err := libseccomp.ScmpSyscall(nr).GetNameByArch(tokens[arch])
			if err == nil && !strings.Contains(want[name], letter) {
				want[name] = ordered(want[name] + letter)
			}
		}
	}
	for _, name := range tables.Names() {
		table, err := tables.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range table.Calls() {
			want[call] += ""
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want)) {
		b.WriteString(name + " " + want[name] + "\n")
	}
	const file = "../../../profiles/syscalls/names.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != b.String() {
		t.Errorf("names.txt lacks names; run make golden (%v)", err)
	}
}

func ordered(letters string) string {
	out := ""
	for _, l := range "axzrs" {
		if strings.ContainsRune(letters, l) {
			out += string(l)
		}
	}
	return out
}
