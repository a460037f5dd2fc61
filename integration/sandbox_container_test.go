package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// In a container as Docker makes it no box is possible, which the doctor says with
// the two options that change it; with them there is one.
func TestBoxInAContainer(t *testing.T) {
	o := newOrdinary(t, false)
	bundle := t.TempDir()
	for _, dir := range []string{"proc", "dev", "sys", "usr", "etc", "tmp", "run", o.dir} {
		must(t, os.MkdirAll(filepath.Join(bundle, "rootfs", dir), 0o755))
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		if to, err := os.Readlink("/" + link); err == nil {
			must(t, os.Symlink(to, filepath.Join(bundle, "rootfs", link)))
		}
	}
	must(t, os.Chmod(bundle+"/rootfs/tmp", os.ModeSticky|0o777))
	try := func(edit func(*specs.Spec)) string {
		_ = os.Remove(bundle + "/config.json")
		mustRun(t, pinnedRunc(t), "spec", "--bundle", bundle)
		var s specs.Spec
		must(t, json.Unmarshal([]byte(read(t, bundle+"/config.json")), &s))
		s.Process.Terminal, s.Process.User = false, specs.User{UID: someUser, GID: someUser}
		s.Process.Cwd = o.dir + "/home/work"
		s.Process.Env = []string{"PATH=" + o.dir + "/bin:/usr/sbin:/usr/bin", "HOME=" + o.dir + "/home", "XDG_RUNTIME_DIR=" + o.dir + "/run"}
		s.Process.Args = []string{"sh", "-c", "hatchctl doctor --sandbox; hatchctl run -- echo in a box"}
		s.Process.NoNewPrivileges, s.Root.Readonly, s.Linux.Seccomp = false, false, dockersFilter(t)
		for source, flag := range map[string]string{"/usr": "ro", "/etc": "ro", o.dir: "rw"} {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: source, Type: "bind", Source: source, Options: []string{"rbind", flag}})
		}
		edit(&s)
		data, err := json.Marshal(&s)
		must(t, err)
		must(t, os.WriteFile(bundle+"/config.json", data, 0o600))
		cmd := exec.Command(pinnedRunc(t), "--root", bundle+"/state", "run", "--bundle", bundle, "outer")
		file, err := os.OpenFile(bundle+"/out", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		must(t, err)
		defer file.Close()
		cmd.Stdout, cmd.Stderr = file, file
		_ = cmd.Run()
		return read(t, file.Name())
	}
	out := try(func(*specs.Spec) {})
	wantLines(t, out, "fail  user namespaces: a filter of system calls refuses them", "seccomp=unconfined", "fail  /proc: mounts lie over parts of it", "systempaths=unconfined", "this host gives ordinary users no user namespace")
	if strings.Contains(out, "in a box") {
		t.Error(out)
	}
	out = try(func(s *specs.Spec) { s.Linux.Seccomp = nil })
	wantLines(t, out, "ok    user namespaces", "fail  /proc: mounts lie over parts of it")
	out = try(func(s *specs.Spec) { s.Linux.Seccomp, s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil, nil })
	wantLines(t, out, "ok    user namespaces", "ok    /proc", "warn  limits", "in a box")
}
