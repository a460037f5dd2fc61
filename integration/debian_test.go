package integration

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// debian is the smallest system that dpkg installs into: a shell, containerd,
// something that is called dockerd, and the pinned runc.
type debian struct {
	dir      string
	original map[string]string // the engines' configuration
}

const (
	containerdConfig = "/etc/containerd/config.toml"
	dockerConfig     = "/etc/docker/daemon.json"
)

func newDebian(t *testing.T) *debian {
	t.Helper()
	s := &debian{dir: filepath.Join(tested.dir, "debian"), original: map[string]string{
		containerdConfig: "version = 3\n# ours\n",
		dockerConfig:     `{"debug": true}`,
	}}
	for _, d := range []string{"bin", "sbin", "usr/bin", "usr/sbin", "etc/containerd", "etc/docker", "dev", "proc", "sys", "run/runc", "tmp", "var/log", "var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		must(t, os.MkdirAll(filepath.Join(s.dir, d), 0o755))
	}
	t.Cleanup(func() { unmountBelow(s.dir); _ = os.RemoveAll(s.dir) })
	must(t, os.WriteFile(s.dir+"/var/lib/dpkg/status", nil, 0o644))
	for path, text := range s.original {
		must(t, os.WriteFile(s.dir+path, []byte(text), 0o644))
	}
	s.copy(t, "/bin/busybox", "/bin/busybox")
	for _, name := range []string{"sh", "rm", "grep", "true", "sleep", "ldconfig", "start-stop-daemon"} {
		must(t, os.Symlink("busybox", s.dir+"/bin/"+name))
	}
	must(t, os.WriteFile(s.dir+"/usr/bin/dockerd", []byte("#!/bin/sh\n"), 0o755))
	must(t, os.WriteFile(s.dir+"/usr/bin/systemctl", []byte("#!/bin/sh\necho \"$@\" >>/var/lib/dpkg/systemctl\n"), 0o755))
	s.copy(t, cached(t, "containerd-v*/containerd"), "/usr/bin/containerd")
	s.copy(t, pinnedRunc(t), "/usr/bin/runc")
	for word := range strings.FieldsSeq(mustRun(t, "ldd", pinnedRunc(t))) {
		if filepath.IsAbs(word) {
			s.copy(t, word, word)
		}
	}
	must(t, syscall.Mknod(s.dir+"/dev/null", syscall.S_IFCHR|0o666, 1<<8|3))
	return s
}

func (s *debian) copy(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(s.dir+to), 0o755))
	must(t, os.WriteFile(s.dir+to, data, 0o755))
}

// files are all files with what is in them, except for dpkg's own records.
func (s *debian) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, s.dir)
		if err != nil || strings.HasPrefix(name, "/var/lib/dpkg/") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		all[name] = what
		return nil
	}))
	return all
}

func (s *debian) wantAsBefore(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if got := read(t, s.dir+path); got != s.original[path] {
			t.Errorf("%s is not as it was:\n%s", path, got)
		}
	}
}

func (s *debian) tryDpkg(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return run(t, "dpkg", append([]string{"--root=" + s.dir}, args...)...)
}

func (s *debian) dpkg(t *testing.T, args ...string) {
	t.Helper()
	if out, code := s.tryDpkg(t, args...); code != 0 {
		t.Fatalf("dpkg %v: %s", args, out)
	}
}

// command runs inside, with what a booted system has mounted.
func (s *debian) command(args ...string) *exec.Cmd {
	const script = `mount --rbind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount --rbind /sys sys && exec chroot . "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", script, s.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return cmd
}

func (s *debian) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// container runs a command under the hatchdog that is installed.
func (s *debian) container(t *testing.T, id string, args ...string) string {
	t.Helper()
	out := s.do(t, "hatchdog", "run", "--bundle", s.bundle(t, id, args...), id)
	must(t, os.RemoveAll(s.dir+"/tmp/"+id))
	return out
}

// bundle makes one that the system sees.
func (s *debian) bundle(t *testing.T, id string, args ...string) string {
	t.Helper()
	dir := makeBundle(t, strings.Join(quoted(args), " "))
	must(t, os.Symlink("sh", dir+"/rootfs/bin/sleep"))
	mustRun(t, "cp", "-a", dir, s.dir+"/tmp/"+id)
	return "/tmp/" + id
}

func quoted(args []string) []string {
	var all []string
	for _, a := range args {
		all = append(all, "'"+a+"'")
	}
	return all
}

// begin starts a container that stays until end.
func (s *debian) begin(t *testing.T, id string) {
	t.Helper()
	// Its output is a file: a pipe would stay open as long as it runs.
	out, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	defer out.Close()
	cmd := s.command("hatchdog", "run", "--detach", "--bundle", s.bundle(t, id, "sleep", "600"), id)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, read(t, out.Name()))
	}
	t.Cleanup(func() { _ = s.command("hatchdog", "delete", "--force", id).Run() })
}

func (s *debian) end(t *testing.T, id string) {
	t.Helper()
	s.do(t, "hatchdog", "delete", "--force", id)
	must(t, os.RemoveAll(s.dir+"/tmp/"+id))
}
