package host

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"pgregory.net/rapid"
)

// What is taken apart here reads as the library reads it.
func sameMounts(t interface{ Fatalf(string, ...any) }, table string) {
	want, err := mountinfo.GetMountsFromReader(strings.NewReader(table), nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	have, err := parseMounts(table)
	if err != nil || len(have) != len(want) {
		t.Fatalf("%d lines, not %d: %v", len(have), len(want), err)
	}
	for i, h := range have {
		w := want[i]
		if h.ID != w.ID || h.Major != w.Major || h.Minor != w.Minor || h.Root != w.Root || h.Mountpoint != w.Mountpoint {
			t.Fatalf("%+v\nnot %+v", h, w)
		}
		if info, err := h.info(); err != nil || *info != *w || w.FSType == "overlay" && !h.overlay() {
			t.Fatalf("%+v, %v\nnot %+v", info, err, w)
		}
	}
}

func TestMountsOfThisHost(t *testing.T) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	sameMounts(t, string(table))
}

func TestMountsReadAsTheLibraryReadsThem(t *testing.T) {
	// The kernel escapes space, tab, newline, backslash and hash alone
	// (fs/proc_namespace.c).
	name := rapid.StringMatching(`/([a-z0-9.:,=-]|\\040|\\011|\\012|\\134|\\043|ä){0,12}`)
	line := rapid.Custom(func(t *rapid.T) string {
		number := rapid.IntRange(0, 1<<31-1)
		optional := rapid.SampledFrom([]string{"", "shared:1 ", "shared:1 master:2 ", "unbindable "})
		kind := rapid.SampledFrom([]string{"overlay", "ext4", "fuse.overlay", "tmpfs"})
		return fmt.Sprintf("%d %d %d:%d %s %s rw,nosuid %s- %s %s rw,lowerdir=%s\n", number.Draw(t, "id"), number.Draw(t, "parent"),
			number.Draw(t, "major"), number.Draw(t, "minor"), name.Draw(t, "root"), name.Draw(t, "point"), optional.Draw(t, "optional"),
			kind.Draw(t, "type"), name.Draw(t, "source"), name.Draw(t, "lower"))
	})
	rapid.Check(t, func(t *rapid.T) {
		sameMounts(t, strings.Join(rapid.SliceOfN(line, 0, 5).Draw(t, "lines"), ""))
	})
}

func TestMountsThatCannotBeRead(t *testing.T) {
	for _, table := range []string{"\n", "1 2 3:4 / \n", "x 2 3:4 / / rw - a b c\n", "1 2 34 / / rw - a b c\n", "1 2 3:4 /"} {
		if all, err := parseMounts(table); err == nil {
			t.Errorf("%q: %+v", table, all)
		}
	}
}

// A host of a thousand containers.
func BenchmarkMounts(b *testing.B) {
	var table strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&table, "%d 1 0:%d / /var/lib/docker/overlay2/%064x/merged rw,relatime shared:%d - overlay overlay rw,lowerdir=/a:/b,upperdir=/c,workdir=/d\n", i, i, i, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseMounts(table.String()); err != nil {
			b.Fatal(err)
		}
	}
}
