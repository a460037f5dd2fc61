package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The overlay of a container in a user namespace is mounted anew, with the options
// and flags of the engine's. It is started twice, as `docker start` does.
func TestUserNSOverlayOptions(t *testing.T) {
	dir := openDir(t)
	policyFile(t, dir, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
	for _, c := range []struct {
		options string
		flags   uintptr
		shows   []string // any of them: kernels differ in what they show
		fails   string
	}{
		{options: "volatile", shows: []string{"volatile"}},
		{options: "metacopy=on,redirect_dir=on", shows: []string{"metacopy=on"}},
		{options: "default_permissions", shows: []string{"default_permissions"}},
		{options: "xino=on", shows: []string{"overlay"}},
		{options: "userxattr", shows: []string{"userxattr"}},
		{options: "index=off", flags: unix.MS_NODEV, shows: []string{"nodev"}},
		{options: "index=off", flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOATIME, shows: []string{"nosuid,nodev,noatime"}},
		{options: "index=on", fails: "it lets no second overlay have its upper layer: index=on"},
		// What a kernel has of late: where it refuses the option, there is nothing to test.
		{options: "fsync=volatile", shows: []string{"fsync=volatile"}},
		{options: "fsync=strict", shows: []string{"fsync=strict"}},
		{options: "uuid=null", shows: []string{"uuid=null"}},
		{options: "verity=on,metacopy=on", shows: []string{"verity=on"}},
	} {
		name := fmt.Sprintf("%s %x", c.options, c.flags)
		bundle := bundleOf(t, []string{"true"}, func(s *specs.Spec) {
			s.Process.Args = []string{"/bin/sh", "-c", "read n </n; echo $n; echo again >/n; while read l; do case $l in *' / overlay '*) echo $l;; esac; done </proc/mounts"}
		})
		must(t, os.Rename(bundle+"/rootfs", bundle+"/lower"))
		must(t, os.WriteFile(bundle+"/lower/n", []byte("first\n"), 0o666))
		for _, d := range []string{"rootfs", "snap", "snap/fs", "snap/work"} {
			must(t, os.Mkdir(bundle+"/"+d, 0o755))
		}
		for _, said := range []string{"first", "again"} {
			// As an engine does that takes the files of a volatile overlay again.
			must(t, os.RemoveAll(bundle+"/snap/work/work/incompat"))
			err := unix.Mount("overlay", bundle+"/rootfs", "overlay", c.flags, fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/snap/fs,workdir=%[1]s/snap/work,%[2]s", bundle, c.options))
			if err != nil {
				t.Logf("%s: this kernel: %v", name, err)
				break
			}
			out, code := held{dir, "overlay"}.hatchdog(t, "run", "--bundle", bundle, "overlay")
			must(t, unix.Unmount(bundle+"/rootfs", 0))
			if c.fails != "" {
				if code == 0 || !strings.Contains(out, c.fails) {
					t.Errorf("%s: %d: %s", name, code, out)
				}
				continue
			}
			if code != 0 || !strings.Contains(out, said) {
				t.Errorf("%s, %s: %d: %s", name, said, code, out)
			}
			wantLines(t, out, c.shows...)
		}
	}
}

// An engine that mounts an overlay which was volatile as a lasting one has decided to
// take its files. The mark of the earlier start does not refuse them.
func TestUserNSOverlayNoMoreVolatile(t *testing.T) {
	dir := openDir(t)
	policyFile(t, dir, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
	bundle := bundleOf(t, []string{"true"}, func(s *specs.Spec) {
		s.Process.Args = []string{"/bin/sh", "-c", "read n </n; echo $n; echo again >/n"}
	})
	must(t, os.Rename(bundle+"/rootfs", bundle+"/lower"))
	must(t, os.WriteFile(bundle+"/lower/n", []byte("first\n"), 0o666))
	for _, d := range []string{"rootfs", "snap", "snap/fs", "snap/work"} {
		must(t, os.Mkdir(bundle+"/"+d, 0o755))
	}
	for _, c := range []struct{ option, said string }{{",volatile", "first"}, {"", "again"}} {
		must(t, os.RemoveAll(bundle+"/snap/work/work/incompat"))
		must(t, unix.Mount("overlay", bundle+"/rootfs", "overlay", 0, fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/snap/fs,workdir=%[1]s/snap/work%[2]s", bundle, c.option)))
		out, code := held{dir, "overlay"}.hatchdog(t, "run", "--bundle", bundle, "overlay")
		must(t, unix.Unmount(bundle+"/rootfs", 0))
		if code != 0 || !strings.Contains(out, c.said) {
			t.Errorf("%q: %d: %s", c.option, code, out)
		}
	}
}
