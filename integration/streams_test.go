package integration

import (
	"os"
	"os/exec"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// runc without a user namespace makes the user of a process the owner of a file
// that is a standard stream. Behind hatchdog the file stays the host's, at create
// and at exec; through a pipe the container starts.
func TestAFileAsStandardStreamStaysTheHosts(t *testing.T) {
	d := newReal(t, pinnedRunc(t), "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: off}}}\n")
	d.edit(t, func(s *specs.Spec) { s.Process.User.UID = 1000 })
	log := d.dir + "/said"
	to := func(cmd *exec.Cmd) (owner string, err error) {
		must(t, os.WriteFile(log, []byte("what others wrote\n"), 0o600))
		must(t, os.Chown(log, 0, 0))
		f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		defer f.Close()
		cmd.Stdout = f
		err = cmd.Run()
		return ownerOf(t, log), err
	}
	plain := []string{"--root", d.dir + "/plain"}
	if owner, err := to(exec.Command(pinnedRunc(t), append(plain, "create", "--bundle", d.bundle, "plain")...)); err != nil || owner != "1000:0" {
		t.Errorf("runc by itself: %v, the file belongs to %s", err, owner)
	}
	mustRun(t, pinnedRunc(t), append(plain, "delete", "--force", "plain")...)
	if owner, err := to(d.command(nil, "create", "--bundle", d.bundle, "c1")); err == nil || owner != "0:0" {
		t.Errorf("create: %v, the file belongs to %s", err, owner)
	}
	d.wantLogged(t, "standard stream 1: the low-level runtime would make the container its owner")
	in, out, err := os.Pipe()
	must(t, err)
	defer in.Close()
	defer out.Close()
	cmd := d.command(nil, "create", "--bundle", d.bundle, "c1")
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(d.dir + "/log.json")
		t.Fatalf("create: %v %s", err, said)
	}
	start := d.command(nil, "start", "c1")
	must(t, start.Run())
	if owner, err := to(d.command(nil, "exec", "c1", "/bin/sh", "-c", "true")); err == nil || owner != "0:0" {
		t.Errorf("exec: %v, the file belongs to %s", err, owner)
	}
}
