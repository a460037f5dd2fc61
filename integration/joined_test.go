package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The namespaces of another workload are refused by whatever path they are named,
// and a namespace whose owner cannot be told costs nobody the user namespace.
func TestAnothersNamespacesByEveryName(t *testing.T) {
	for _, mode := range []string{"off", "auto"} {
		d := newPinned(t, "echo ran")
		d.setPolicy(t, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, userns: {mode: "+mode+"}}\n")
		must(t, os.Chmod(filepath.Dir(d.dir), 0o755)) // the way of a user namespace to the state directory
		must(t, os.Link(d.bundle+"/rootfs/bin/sh", d.bundle+"/rootfs/bin/sleep"))
		victim := t.TempDir()
		must(t, os.Chmod(victim, 0o755))
		must(t, os.CopyFS(victim+"/rootfs", os.DirFS(d.bundle+"/rootfs")))
		d.livingIn(t, "victim", victim)
		var state specs.State
		out, _ := d.call(t, nil, "state", "victim")
		must(t, json.Unmarshal([]byte(out), &state))
		proc, links := fmt.Sprintf("/proc/%d", state.Pid), t.TempDir()
		must(t, os.Symlink(proc, links+"/process"))
		for typ, file := range map[specs.LinuxNamespaceType]string{specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts", specs.PIDNamespace: "pid", specs.NetworkNamespace: "net"} {
			real := proc + "/ns/" + file
			must(t, os.Symlink(real, filepath.Join(links, file)))
			must(t, os.WriteFile(links+"/mounted-"+file, nil, 0o600))
			must(t, unix.Mount(real, links+"/mounted-"+file, "", unix.MS_BIND, ""))
			t.Cleanup(func() { _ = unix.Unmount(links+"/mounted-"+file, unix.MNT_DETACH) })
			open, err := os.Open(real)
			must(t, err)
			defer open.Close()
			for _, path := range []string{
				real, links + "/" + file, links + "/process/ns/" + file, links + "/mounted-" + file, fmt.Sprintf("%s/task/%d/ns/%s", proc, state.Pid, file),
				fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), open.Fd()), proc + "/root/proc/1/ns/" + file,
			} {
				config := read(t, d.bundle+"/config.json")
				d.edit(t, func(s *specs.Spec) {
					for i := range s.Linux.Namespaces {
						if s.Linux.Namespaces[i].Type == typ {
							s.Linux.Namespaces[i].Path = path
						}
					}
				})
				out, code := d.call(t, nil, "run", "--bundle", d.bundle, "asks")
				if code == 0 || strings.Contains(out, "ran\n") || !strings.Contains(out, "linux.namespaces["+string(typ)+"].path") {
					t.Errorf("%s, %s: exit code %d: %s", mode, path, code, out)
				}
				must(t, os.WriteFile(d.bundle+"/config.json", []byte(config), 0o600))
			}
		}
	}
}

// A joined namespace is handed on as what was examined: the low-level runtime gets
// a path to it that nobody can change, and the container is in it.
func TestJoinedNamespaceIsHeld(t *testing.T) {
	d := newPinned(t, "grep . /proc/sys/kernel/shmmni; echo ran")
	d.setPolicy(t, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, others: admit}\n")
	space := t.TempDir()
	must(t, os.WriteFile(space+"/ipc", nil, 0o600))
	mustRun(t, "unshare", "--ipc="+space+"/ipc", "sh", "-c", "echo 777 >/proc/sys/kernel/shmmni")
	t.Cleanup(func() { _ = unix.Unmount(space+"/ipc", unix.MNT_DETACH) })
	d.edit(t, func(s *specs.Spec) {
		for i := range s.Linux.Namespaces {
			if s.Linux.Namespaces[i].Type == specs.IPCNamespace {
				s.Linux.Namespaces[i].Path = space + "/ipc"
			}
		}
	})
	if out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1"); code != 0 || !strings.Contains(out, "777\nran\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := d.call(t, nil, "create", "--bundle", d.bundle, "c2"); code != 0 {
		t.Fatal(out)
	}
	defer d.call(t, nil, "delete", "--force", "c2")
	if state := read(t, d.dir+"/root/c2/state.json"); !strings.Contains(state, d.dir+"/state/@mnt/ns-ipc") || strings.Contains(state, space+"/ipc") {
		t.Error("the low-level runtime has another path")
	}
}
