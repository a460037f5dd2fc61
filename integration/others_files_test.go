package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// What another living container has for its root file system is not to be had in
// parts either: a directory or a file in it, a folder that holds it, the layer
// that it writes to, or any of these under another name.
func TestPartsOfAnothersRootAreRefused(t *testing.T) {
	d := newPinned(t, "cat /vol/secret /vol/etc/secret /vol/rootfs/etc/secret; cat /file; cat /etc/secret; echo ran")
	for _, name := range []string{"cat", "sleep"} {
		must(t, os.Link(d.bundle+"/rootfs/bin/sh", d.bundle+"/rootfs/bin/"+name))
	}
	victim := t.TempDir()
	must(t, os.Chmod(victim, 0o755))
	must(t, os.CopyFS(victim+"/plain/rootfs", os.DirFS(d.bundle+"/rootfs")))
	for _, dir := range []string{"plain/rootfs/etc", "layered/lower/etc", "layered/upper/etc", "layered/work", "layered/rootfs", "named", "up"} {
		must(t, os.MkdirAll(filepath.Join(victim, dir), 0o755))
	}
	must(t, os.CopyFS(victim+"/layered/lower", os.DirFS(d.bundle+"/rootfs")))
	for _, file := range []string{"plain/rootfs/etc/secret", "layered/upper/etc/secret"} {
		must(t, os.WriteFile(filepath.Join(victim, file), []byte("SECRET\n"), 0o644))
	}
	mount := func(source, target, kind string, flags uintptr, data string) {
		must(t, unix.Mount(source, target, kind, flags, data))
		t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
	}
	at := victim + "/layered/"
	mount("overlay", at+"rootfs", "overlay", 0, "lowerdir="+at+"lower,upperdir="+at+"upper,workdir="+at+"work")
	for _, kind := range []string{"plain", "layered"} {
		d.livingIn(t, kind, victim+"/"+kind)
	}
	mount(victim+"/plain/rootfs/etc", victim+"/named", "", unix.MS_BIND, "")
	must(t, os.MkdirAll(victim+"/up/below", 0o755))
	mount(victim+"/plain/rootfs/etc", victim+"/up/below", "", unix.MS_BIND, "")
	root := func(path string) func(*specs.Spec) { return func(s *specs.Spec) { s.Root.Path = path } }
	for name, edit := range map[string]func(*specs.Spec){
		"the root":                       bindTo("/vol", victim+"/plain/rootfs", "rbind"),
		"a directory in it":              bindTo("/vol", victim+"/plain/rootfs/etc", "rbind", "ro"),
		"a file in it":                   bindTo("/file", victim+"/plain/rootfs/etc/secret", "bind"),
		"a folder that holds it":         bindTo("/vol", victim+"/plain", "rbind"),
		"a directory, by another name":   bindTo("/vol", victim+"/named", "rbind"),
		"a file, by another name":        bindTo("/file", victim+"/named/secret", "bind"),
		"mounted below":                  bindTo("/vol", victim+"/up", "rbind"),
		"a directory in an overlay":      bindTo("/vol", victim+"/layered/rootfs/etc", "rbind"),
		"the layer that is written":      bindTo("/vol", victim+"/layered/upper", "rbind"),
		"a directory in that layer":      bindTo("/vol", victim+"/layered/upper/etc", "rbind"),
		"a folder that holds an overlay": bindTo("/vol", victim+"/layered", "rbind"),
		"a directory in it as the root":  root(victim + "/plain/rootfs/etc"),
		"what holds it as the root":      root(victim + "/plain"),
	} {
		t.Run(name, func(t *testing.T) {
			bundle := d.bundle
			defer func() { d.bundle = bundle }()
			d.bundle = t.TempDir()
			must(t, os.CopyFS(d.bundle, os.DirFS(bundle)))
			must(t, os.Chmod(d.bundle+"/config.json", 0o600))
			d.edit(t, edit)
			out, code := d.call(t, nil, "run", "--bundle", d.bundle, "asks")
			if code == 0 || strings.Contains(out, "SECRET") || strings.Contains(out, "ran\n") || !strings.Contains(out, "layered's own") && !strings.Contains(out, "plain's own") {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
	out, code := d.call(t, nil, "run", "--bundle", d.bundle, "asks")
	if code != 0 || !strings.Contains(out, "ran\n") {
		t.Errorf("its own root: exit code %d: %s", code, out)
	}
	for _, id := range []string{"plain", "layered"} {
		d.call(t, nil, "delete", "--force", id)
	}
	d.edit(t, bindTo("/vol", victim+"/plain", "rbind"))
	if out, _ := d.call(t, nil, "run", "--bundle", d.bundle, "asks"); !strings.Contains(out, "ran\n") {
		t.Errorf("nobody's any more: %s", out)
	}
}

// livingIn starts a container of that id whose bundle has its root file system
// already.
func (d *direct) livingIn(t *testing.T, id, bundle string) {
	t.Helper()
	config := read(t, d.bundle+"/config.json")
	must(t, os.WriteFile(bundle+"/config.json", []byte(config), 0o600))
	was := d.bundle
	d.bundle = bundle
	d.edit(t, func(s *specs.Spec) {
		s.Process.Args = []string{"/bin/sleep", "100"}
		s.Linux.CgroupsPath += "-" + id
	})
	d.bundle = was
	if out, code := d.call(t, nil, "create", "--bundle", bundle, id); code != 0 {
		t.Fatal(out)
	}
	t.Cleanup(func() { d.call(t, nil, "delete", "--force", id) })
	if out, code := d.call(t, nil, "start", id); code != 0 {
		t.Fatal(out)
	}
}

// copyApplets gives the image of a bundle more of its shell's programs.
func copyApplets(t *testing.T, bundle string, names ...string) {
	t.Helper()
	for _, name := range names {
		must(t, os.Link(bundle+"/rootfs/bin/sh", bundle+"/rootfs/bin/"+name))
	}
}
