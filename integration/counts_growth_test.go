package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// A create asks the kernel the same whatever else lives on the host: processes,
// ranges of ids that are held, records of other containers.
func TestCountsDoNotGrow(t *testing.T) {
	c := newCaller(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
	c.life(t, "warm")
	few := c.life(t, "few")
	held := heldRanges(t, c.dir)
	for _, step := range []struct {
		what string
		add  func(*testing.T)
	}{
		{"200 processes", func(t *testing.T) { sleepers(t, 200) }},
		{"2,000 processes", func(t *testing.T) { sleepers(t, 1800) }},
		{"100 ranges of ids", func(t *testing.T) { held(t, 100) }},
		{"1,000 ranges of ids", func(t *testing.T) { held(t, 1000) }},
		{"1,000 records", func(t *testing.T) { records(t, c.dir, 1000) }},
	} {
		step.add(t)
		for door, is := range c.life(t, "many"+strings.Map(letters, step.what)) {
			was := few[door]
			if most := was.Syscalls + was.Syscalls/20 + 4; is.Syscalls > most {
				t.Errorf("beside %s %s takes %d calls, not %d", step.what, door, is.Syscalls, was.Syscalls)
			}
		}
	}
}

// Each mount of the host is asked for once, and by create alone.
func TestCountsBesideMounts(t *testing.T) {
	t.Run("apart", func(t *testing.T) { // the thread ends with it, and its mounts
		runtime.LockOSThread()
		must(t, unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS))
		must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		c := newCaller(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
		c.life(t, "warm")
		few := c.life(t, "few")
		const n = 500
		overlays(t, n)
		for door, is := range c.life(t, "many") {
			was := few[door]
			most := was.Syscalls + was.Syscalls/20 + 4
			if door == "create" {
				most += n
			}
			if is.Syscalls > most {
				t.Errorf("beside %d mounts %s takes %d calls, not %d", n, door, is.Syscalls, was.Syscalls)
			}
		}
	})
}

// overlays mounts some in the mount namespace of this thread.
func overlays(t *testing.T, n int) {
	t.Helper()
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	for i := range n {
		of := filepath.Join(dir, fmt.Sprint(i))
		for _, sub := range []string{"lower", "upper", "work", "merged"} {
			must(t, os.MkdirAll(filepath.Join(of, sub), 0o755))
		}
		must(t, unix.Mount("overlay", of+"/merged", "overlay", 0, fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", of)))
	}
}

func letters(r rune) rune {
	if r == ' ' || r == ',' {
		return -1
	}
	return r
}

// sleepers are processes with a user namespace each, that do nothing.
func sleepers(t *testing.T, n int) {
	t.Helper()
	// One shell starts them all, and they end with it.
	cmd := exec.Command("/bin/busybox", "sh", "-c", fmt.Sprintf("for i in $(/bin/busybox seq %d); do /bin/busybox sleep 1000 & done; echo there; read end; kill $(jobs -p)", n))
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	_, err = out.Read(make([]byte, 8))
	must(t, err)
}

// heldRanges writes ranges of containers that live into the file of ids.
func heldRanges(t *testing.T, dir string) func(t *testing.T, n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*/ids.json"))
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("no file of ids below %s", dir)
	}
	return func(t *testing.T, n int) {
		t.Helper()
		head, _, _ := strings.Cut(read(t, files[0]), "\n")
		var state map[string]any
		must(t, json.Unmarshal([]byte(head), &state))
		state["swept"] = n
		raw, err := json.Marshal(state)
		must(t, err)
		raw = append(raw, '\n')
		for i := range n {
			base := 0x70000000 + i*host.IDUnit
			raw = fmt.Appendf(raw, "%d %d {\"base\":%d,\"size\":%d,\"holders\":[{\"root\":\"/run/runc\",\"id\":\"%064x\",\"creator\":\"1:1\",\"record\":%q}]}\n",
				base, host.IDUnit, base, host.IDUnit, i, dir)
		}
		must(t, os.WriteFile(files[0], raw, 0o600))
	}
}

// records are those of other containers under the same root, which live.
func records(t *testing.T, dir string, n int) {
	t.Helper()
	some, err := filepath.Glob(filepath.Join(dir, "*/*/many*"))
	must(t, err)
	keys, err := filepath.Glob(filepath.Join(dir, "state/*/root"))
	must(t, err)
	if len(keys) != 1 {
		t.Fatalf("no records below %s: %v", dir, some)
	}
	for i := range n {
		must(t, os.Mkdir(filepath.Join(filepath.Dir(keys[0]), fmt.Sprintf("%064x", i)), 0o700))
	}
}
