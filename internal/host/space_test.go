package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/retest"
)

// Whatever links lead to a namespace of a process, it is known whose it is; what
// only another procfs or a descriptor leads to is none.
func TestWhoseNamespace(t *testing.T) {
	if !retest.Mounts(t) {
		return
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWIPC | syscall.CLONE_NEWUSER, UidMappings: []syscall.SysProcIDMap{{HostID: 100000, Size: 65536}}, GidMappings: []syscall.SysProcIDMap{{HostID: 100000, Size: 65536}}}
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	proc := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
	dir := t.TempDir()
	must(t, os.Symlink(proc+"/ns/ipc", dir+"/link"))
	must(t, os.Symlink("link", dir+"/second"))
	must(t, os.Symlink(proc, dir+"/process"))
	must(t, os.Symlink("loop", dir+"/loop"))
	must(t, os.MkdirAll(dir+"/proc", 0o755))
	must(t, unix.Mount("proc", dir+"/proc", "proc", 0, ""))
	defer func() { _ = unix.Unmount(dir+"/proc", unix.MNT_DETACH) }()
	must(t, os.WriteFile(dir+"/mounted", nil, 0o600))
	must(t, unix.Mount(proc+"/ns/ipc", dir+"/mounted", "", unix.MS_BIND, ""))
	defer func() { _ = unix.Unmount(dir+"/mounted", unix.MNT_DETACH) }()
	open, err := os.Open(proc + "/ns/ipc")
	must(t, err)
	defer open.Close()
	_, ino, err := Identify(proc + "/ns/ipc")
	must(t, err)
	group, err := os.ReadFile(proc + "/cgroup")
	must(t, err)

	for path, known := range map[string]bool{
		proc + "/ns/ipc": true, proc + "/task/" + filepath.Base(proc) + "/ns/ipc": true, dir + "/link": true, dir + "/second": true,
		dir + "/process/ns/ipc": true, proc + "/ns/../ns/ipc": true, dir + "/mounted": false,
	} {
		s := newSources()
		j := s.joined(path)
		fd, held := s.Namespace(path)
		var st unix.Stat_t
		if j.Err != "" || j.ID.Ino != ino || j.Type != "ipc" || !held || unix.Fstat(fd, &st) != nil || st.Ino != ino {
			t.Errorf("%s: %+v", path, j)
		}
		if known != (len(j.Groups) > 0) || known != (j.Owner.Path == proc+"/ns/user" || j.Owner.Path == proc+"/task/"+filepath.Base(proc)+"/ns/user") {
			t.Errorf("%s: known %v: %+v", path, !known, j)
		}
		if known && (j.Owner.Range != IDRange{Base: 100000, Size: 65536} || !slices.ContainsFunc(j.Groups, func(g string) bool { return g != "" && len(g) <= len(group) })) {
			t.Errorf("%s: %+v", path, j)
		}
		s.Close()
	}
	for _, path := range []string{
		dir + "/proc/" + filepath.Base(proc) + "/ns/ipc", fmt.Sprintf("/proc/self/fd/%d", open.Fd()), "relative", "/proc/self/ns/net/", dir + "/loop",
		proc + "/exe", proc + "/ns/..", "/proc/self/cwd", dir,
	} {
		s := newSources()
		if j := s.joined(path); j.Err == "" {
			t.Errorf("%s: %+v", path, j)
		}
		s.Close()
	}
}
