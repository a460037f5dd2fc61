package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// deaf is a FUSE file system whose program answers nothing, and a function that
// gives it up: what waits for it gets an error.
func deaf(t *testing.T) (dir string, giveUp func()) {
	t.Helper()
	dir = t.TempDir() + "/deaf"
	must(t, os.Mkdir(dir, 0o755))
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	must(t, err)
	must(t, unix.Mount("deaf", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())))
	giveUp = sync.OnceFunc(func() {
		_ = dev.Close()
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	})
	t.Cleanup(giveUp)
	return dir, giveUp
}

// A volume that does not answer holds a start up, as it does under plain runc: both
// look at it. Once it is given up the start ends, and nothing is left.
func TestVolumeThatDoesNotAnswer(t *testing.T) {
	for name, program := range map[string]string{"runc": pinnedRunc(t), "hatchdog": tested.hatchdog} {
		t.Run(name, func(t *testing.T) {
			volume, giveUp := deaf(t)
			bundle := bundleOf(t, []string{"true"}, func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/v", Type: "bind", Source: volume, Options: []string{"rbind"}})
			})
			dir := t.TempDir()
			cmd := exec.Command(program, "--root", dir+"/root", "run", "--bundle", bundle, "deaf")
			cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+policyFile(t, dir, ""))
			// A file: a container keeps a pipe open.
			out, err := os.Create(dir + "/out") //nolint:forbidigo // a test's own file
			must(t, err)
			defer out.Close()
			cmd.Stdout, cmd.Stderr = out, out
			must(t, cmd.Start())
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				t.Errorf("it does not wait (docs/compatibility.md says that it does): %v %s", err, read(t, out.Name()))
				return
			case <-time.After(2 * time.Second):
			}
			giveUp()
			select {
			case err := <-ended:
				if err == nil {
					t.Errorf("it runs without its volume: %s", read(t, out.Name()))
				}
			case <-time.After(time.Minute):
				_ = cmd.Process.Kill()
				t.Fatal("it waits for a volume that is gone")
			}
			for _, pattern := range []string{"/state/*/deaf/record.json", "/root/deaf"} {
				if left, _ := filepath.Glob(dir + pattern); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			}
		})
	}
}
