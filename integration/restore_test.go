package integration

import (
	"os"
	"strings"
	"testing"
)

// A checkpoint is brought back by no spelling of restore: its processes would have
// what they had, whatever the spec says. Where a profile trusts its checkpoints, the
// spec is held to it, and no flag leaves what it says.
func TestRestoreIsRefused(t *testing.T) {
	image := t.TempDir()
	for _, args := range [][]string{
		{"restore", "--bundle", "BUNDLE", "c1"},
		{"restore", "-b=BUNDLE", "--image-path", image, "c1"},
		{"restore", "--detach", "--tcp-established", "--image-path=" + image, "--bundle=BUNDLE", "--", "c1"},
	} {
		d := newDirect(t)
		out, code := d.call(t, nil, inBundle(args, d.bundle)...)
		d.wantRefused(t, out, code, "a checkpoint holds the capabilities")
	}
	for _, flag := range []string{"--lsm-profile=apparmor:unconfined", "--lsm-mount-context=x", "--manage-cgroups-mode=full"} {
		d := newDirect(t)
		d.setPolicy(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, restore: admit}}\n")
		out, code := d.call(t, nil, "restore", flag, "--image-path", image, "--bundle", d.bundle, "c1")
		d.wantRefused(t, out, code, "leave it out")
	}
	d := newDirect(t)
	d.setPolicy(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, restore: admit}}\n")
	must(t, os.Chown(image, 4711, 4711))
	out, code := d.call(t, nil, "restore", "--image-path", image+"/x", "--bundle", d.bundle, "c1")
	d.wantRefused(t, out, code, "--image-path: users other than root")
}

func inBundle(args []string, bundle string) []string {
	all := make([]string, 0, len(args))
	for _, a := range args {
		all = append(all, strings.ReplaceAll(a, "BUNDLE", bundle))
	}
	return all
}
