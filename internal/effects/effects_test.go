package effects

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/retest"
)

// inMountNamespace runs the test again in a mount namespace of its own, on one
// thread.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	if !retest.Mounts(t) {
		return false
	}
	runtime.LockOSThread()
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	return true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is a file system of our own, shared with the namespaces to come, with
// a record's directory and sources that others can swap.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, ""))
	must(t, syscall.Mount("", dir, "", syscall.MS_SHARED, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	for _, d := range []string{"record", "users/data/below", "other"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.Chmod(dir+"/users", 0o777))
	write(t, dir+"/users/data/file", "examined")
	write(t, dir+"/users/one", "examined")
	write(t, dir+"/other/file", "swapped")
	must(t, syscall.Mount("tmpfs", dir+"/users/data/below", "tmpfs", 0, ""))
	write(t, dir+"/users/data/below/file", "mounted")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func text(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

func probe(t *testing.T, mounts ...specs.Mount) (*specs.Spec, map[string]host.Source, *host.Sources) {
	t.Helper()
	spec := &specs.Spec{Mounts: mounts}
	f, sources, err := host.Probe(host.Request{Spec: spec, Profile: &policy.Profile{}, Bundle: "/"})
	must(t, err)
	t.Cleanup(sources.Close)
	return spec, f.Sources, sources
}

func bind(source, destination, option string) specs.Mount {
	return specs.Mount{Type: "bind", Source: source, Destination: destination, Options: []string{option}}
}

func mountsSeen(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/thread-self/mountinfo")
	must(t, err)
	return string(data)
}

// request is without a user namespace.
func request(spec *specs.Spec, sources map[string]host.Source, open *host.Sources, dir string) Request {
	return Request{Spec: spec, Facts: host.Facts{Sources: sources}, Sources: open, StateDir: dir}
}

// The source is swapped between the examination and the mount: what is mounted
// is what was examined, and nobody outside sees it.
func TestAcquireHoldsWhatWasExamined(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	dir := place(t)
	spec, facts, sources := probe(t, bind(dir+"/users/data", "/rec", "rbind"), bind(dir+"/users/data", "/one", "bind"),
		bind(dir+"/users/one", "/file", "rbind"), bind("/usr", "/usr", "rbind"), specs.Mount{Type: "proc", Source: "proc", Destination: "/proc"})
	must(t, os.Rename(dir+"/users/data", dir+"/users/gone"))
	must(t, os.Symlink(dir+"/other", dir+"/users/data"))
	must(t, os.Rename(dir+"/users/one", dir+"/users/gone1"))
	must(t, os.Symlink(dir+"/other/file", dir+"/users/one"))

	outside := mountsSeen(t)
	home, err := os.Open("/proc/thread-self/ns/mnt")
	must(t, err)
	a, err := Acquire(request(spec, facts, sources, dir+"/record"))
	must(t, err)
	if len(a.Pins) != 3 || spec.Mounts[3].Source != "/usr" || spec.Mounts[4].Source != "proc" {
		t.Fatalf("%+v %+v", a.Pins, spec.Mounts)
	}
	for i, want := range []string{"examined", "examined"} {
		if got := text(spec.Mounts[i].Source + "/file"); got != want {
			t.Errorf("mount %d holds %q", i, got)
		}
	}
	if got := text(spec.Mounts[2].Source); got != "examined" {
		t.Errorf("the file holds %q", got)
	}
	if text(spec.Mounts[0].Source+"/below/file") != "mounted" || text(spec.Mounts[1].Source+"/below/file") == "mounted" {
		t.Error("rbind brings along what is mounted below, bind does not")
	}
	for _, p := range a.Pins {
		dev1, ino1, err1 := host.Identify(p.After)
		dev2, ino2, err2 := host.Identify("/proc/thread-self/fd/" + strconv.Itoa(p.Fd))
		if err1 != nil || err2 != nil || dev1 != dev2 || ino1 != ino2 {
			t.Errorf("%s is not the file that was examined: %v %v", p.After, err1, err2)
		}
	}
	// A mount made inside does not spread.
	must(t, syscall.Mount("tmpfs", spec.Mounts[0].Source+"/below", "tmpfs", 0, ""))
	must(t, unix.Setns(int(home.Fd()), unix.CLONE_NEWNS))
	if now := mountsSeen(t); now != outside {
		t.Errorf("outside it is seen:\n%s\nwas\n%s", now, outside)
	}
	if text(dir+"/users/gone/below/file") != "mounted" {
		t.Error("a mount made inside covers the source")
	}
}

func TestUndo(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	dir := place(t)
	spec, facts, sources := probe(t, bind(dir+"/users/data", "/rec", "rbind"))
	a, err := Acquire(request(spec, facts, sources, dir+"/record"))
	must(t, err)
	for range 2 {
		must(t, a.Undo())
	}
	if strings.Contains(mountsSeen(t), dir+"/record/@mnt") {
		t.Error("still mounted")
	}
	must(t, (*Acquired)(nil).Undo())
	must(t, (&Acquired{}).Undo())
}

// Whoever may not make mounts needs none for sources that nobody else can change.
func TestNothingToDo(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	dir := place(t)
	before, err := os.Readlink("/proc/thread-self/ns/mnt")
	must(t, err)
	spec, facts, sources := probe(t, bind("/usr", "/usr", "rbind"))
	a, err := Acquire(request(spec, facts, sources, dir+"/record"))
	if err != nil || len(a.Pins) > 0 || spec.Mounts[0].Source != "/usr" {
		t.Errorf("%+v %v", a, err)
	}
	if after, _ := os.Readlink("/proc/thread-self/ns/mnt"); after != before {
		t.Error("another mount namespace")
	}
}

// All of it or nothing: the spec is as it was after any failure.
func TestFailureLeavesNothing(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	dir := place(t)
	good, bad := bind(dir+"/users/data", "/a", "rbind"), bind(dir+"/users/one", "/b", "rbind")
	fails := func(name string, spec *specs.Spec, facts map[string]host.Source, sources *host.Sources, record string) {
		t.Helper()
		if _, err := Acquire(request(spec, facts, sources, record)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if spec.Mounts[0].Source != good.Source || spec.Mounts[1].Source != bad.Source {
			t.Errorf("%s: the spec was changed: %+v", name, spec.Mounts)
		}
		if strings.Contains(mountsSeen(t), "/@mnt") {
			t.Errorf("%s: still mounted", name)
		}
	}
	spec, facts, sources := probe(t, good, bad)
	fails("no directory for the pins", spec, facts, sources, dir+"/users/one/nowhere")
	_, _, held := probe(t, good)
	fails("a source that is not held", spec, facts, held, dir+"/record")
	facts[bad.Source] = host.Source{Dir: true} // a directory is made for a file
	fails("a source of another kind", spec, facts, sources, dir+"/record")
}
