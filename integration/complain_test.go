package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// wantAsAsked asserts that a call in complain mode was handed over word for
// word, and that nothing was said on the standard streams.
func (d *direct) wantAsAsked(t *testing.T, out string, code int, args ...string) {
	t.Helper()
	if code != 0 || out != "" {
		t.Errorf("%v: exit code %d, and on the standard streams: %q", args, code, out)
	}
	if got := d.handedOver(t); got != strings.Join(args, " ") {
		t.Errorf("%v became %s", args, got)
	}
}

// complaining is a direct in complain mode, with a bundle and a copy of its
// spec.
func complaining(t *testing.T) (*direct, string) {
	t.Helper()
	d := newDirect(t)
	d.setPolicy(t, "mode: complain\n")
	return d, read(t, d.bundle+"/config.json")
}

// Whatever is wrong with the request or with hatchdog's own places, complain
// mode hands over, and what comes later in that container too.
func TestComplainGoesOn(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, d *direct){
		"nothing": func(*testing.T, *direct) {},
		"refused": func(t *testing.T, d *direct) {
			editSpec(t, d.bundle, func(s *specs.Spec) { s.Linux.Namespaces = nil })
		},
		"a key of another case": func(t *testing.T, d *direct) {
			must(t, os.WriteFile(d.bundle+"/config.json", []byte(`{"process":{},"PROCESS":{}}`), 0o600))
		},
		"not JSON": func(t *testing.T, d *direct) { must(t, os.WriteFile(d.bundle+"/config.json", []byte(`{`), 0o600)) },
		"open to others": func(t *testing.T, d *direct) {
			must(t, os.Chmod(d.bundle+"/config.json", 0o666))
			must(t, os.Chmod(filepath.Dir(d.bundle), 0o755))
		},
		"a link": func(t *testing.T, d *direct) {
			must(t, os.Rename(d.bundle+"/config.json", d.bundle+"/real.json"))
			must(t, os.Symlink("real.json", d.bundle+"/config.json"))
		},
		"a capability nobody knows": func(t *testing.T, d *direct) {
			editSpec(t, d.bundle, func(s *specs.Spec) {
				s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_MADE_UP"}}
			})
		},
		"huge": func(t *testing.T, d *direct) {
			f, err := os.OpenFile(d.bundle+"/config.json", os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			defer f.Close()
			_, err = f.Write(bytes.Repeat([]byte{' '}, 5<<20))
			must(t, err)
		},
		"an audit log that is a folder": func(t *testing.T, d *direct) { must(t, os.MkdirAll(d.dir+"/log/audit.jsonl", 0o700)) },
		"an audit log of others": func(t *testing.T, d *direct) {
			must(t, os.MkdirAll(d.dir+"/log", 0o700))
			must(t, os.Chmod(d.dir+"/log", 0o777))
		},
		"a state directory that is a file": func(t *testing.T, d *direct) { must(t, os.WriteFile(d.dir+"/state", nil, 0o600)) },
		"a state directory of others": func(t *testing.T, d *direct) {
			must(t, os.Mkdir(d.dir+"/state", 0o777))
			must(t, os.Chmod(d.dir+"/state", 0o777))
		},
		"a state directory that is full": func(t *testing.T, d *direct) {
			must(t, os.Mkdir(d.dir+"/state", 0o711))
			must(t, syscall.Mount("tmpfs", d.dir+"/state", "tmpfs", 0, "size=4k,nr_inodes=3,mode=711"))
			t.Cleanup(func() { _ = syscall.Unmount(d.dir+"/state", syscall.MNT_DETACH) })
		},
		"an audit log that is held": func(t *testing.T, d *direct) {
			must(t, os.Mkdir(d.dir+"/log", 0o700))
			f, err := os.OpenFile(d.dir+"/log/audit.jsonl", os.O_CREATE|os.O_RDWR, 0o600)
			must(t, err)
			must(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
			t.Cleanup(func() { f.Close() })
		},
		"a low-level runtime that is too old": func(t *testing.T, d *direct) {
			must(t, os.WriteFile(d.dir+"/runc", []byte(strings.Replace(fakeRuntime, "1.5.2", "1.0.0", 1)), 0o755))
		},
		"a low-level runtime without a version": func(t *testing.T, d *direct) {
			must(t, os.WriteFile(d.dir+"/runc", []byte(strings.Replace(fakeRuntime, `echo "runc version 1.5.2"; exit 0`, "exit 1", 1)), 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := complaining(t)
			spoil(t, d)
			raw := read(t, d.bundle+"/config.json")
			out, code := d.create(t)
			d.wantAsAsked(t, out, code, "create", "--bundle", d.bundle, "c1")
			if read(t, d.bundle+"/config.json") != raw {
				t.Error("the bundle was written to")
			}
			if left, _ := filepath.Glob(d.bundle + "/.*"); len(left) > 0 {
				t.Error("left in the bundle:", left)
			}
			file := d.dir + "/process.json"
			must(t, os.WriteFile(file, []byte(greedy), 0o600))
			for _, args := range [][]string{
				{"exec", "--cap", "CAP_SYS_ADMIN", "c1", "sh"}, {"exec", "--process", file, "c1"}, {"update", "--memory", "-1", "c1"}, {"start", "c1"}, {"delete", "c1"},
			} {
				out, code := d.call(t, nil, args...)
				d.wantAsAsked(t, out, code, args...)
			}
		})
	}
}

// What hatchdog cannot read, or never saw, is the low-level runtime's.
func TestComplainHandsOverWhatItCannotRead(t *testing.T) {
	for _, args := range [][]string{
		{"exec", "--unheard", "x", "c1", "sh"},
		{"exec", "c9"},
		{"exec", "c9", "sh"},
		{"exec", "no/id", "sh"},
		{"update", "--memory", "x", "c9"},
		{"create", "--bundle", "/nowhere", "c1"},
		{"create", "a", "b"},
		{"create", "--bundle", "/nowhere", "no/id"},
		{"run", "--no-pivot", "--bundle", "/nowhere", "c1"},
		{"restore", "--bundle", "/nowhere", "c1"},
		{"mounts", "add", "c1", "/x"},
		{"start", "no/id"},
		{"start", "c9"},
		{"start", "a", "b"},
		{"delete", "no/id"},
		{"delete", "--forceful", "c1"},
		{"delete", "c9"},
	} {
		d, _ := complaining(t)
		out, code := d.call(t, nil, args...)
		d.wantAsAsked(t, out, code, args...)
	}
	d, _ := complaining(t)
	cmd := d.command(nil)
	cmd.Args = []string{d.bin, "--verbose", "--root", d.dir + "/root", "state", "c1"}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 || !strings.Contains(read(t, d.dir+"/started"), "--verbose --root") {
		t.Errorf("%v %s", err, out)
	}
}

// The record of a container and the audit log say what enforce mode would have
// done; the engine's log says what could not be judged.
func TestComplainRecords(t *testing.T) {
	d, raw := complaining(t)
	if out, code := d.create(t); code != 0 {
		t.Fatal(out)
	}
	if read(t, d.bundle+"/config.json") != raw {
		t.Error("the spec was changed")
	}
	out, code := d.call(t, nil, "exec", "--cap", "CAP_SYS_ADMIN", "c1", "sh")
	d.wantAsAsked(t, out, code, "exec", "--cap", "CAP_SYS_ADMIN", "c1", "sh")
	out = mustRun(t, tested.hatchctl, "--policy", d.policy, "explain", "c1")
	wantLines(t, out, "left as asked (complain mode)", "process.capabilities.bounding", "CAP_SYS_ADMIN")
	if _, err := os.Stat(d.dir + "/log.json"); err == nil {
		t.Error(read(t, d.dir+"/log.json"))
	}
	must(t, os.WriteFile(d.dir+"/p", []byte("{"), 0o600))
	_, _ = d.call(t, nil, "exec", "--process", d.dir+"/p", "c1")
	if log := read(t, d.dir+"/log.json"); !strings.Contains(log, `"level":"warning"`) || !strings.Contains(log, "handed over as asked") {
		t.Error(log)
	}
	if log := read(t, d.dir+"/log/audit.jsonl"); strings.Count(log, `"outcome":"complained"`) != 3 {
		t.Error(log)
	}
}

// A policy that cannot be read says nothing of complain mode.
func TestComplainEndsWhereThePolicyCannotBeRead(t *testing.T) {
	d := newDirect(t)
	d.setPolicy(t, "mode: complain\nmdoe: x\n")
	out, code := d.create(t)
	d.wantRefused(t, out, code, "mdoe")
}

// A process or limits that can be read once only are read as runc reads them,
// and come out whole.
func TestDocumentsFromPipes(t *testing.T) {
	for _, mode := range []string{"enforce", "complain"} {
		for _, way := range []string{
			"exec --process <(cat FILE) c1",
			"exec --process <(cat FILE; sleep 3) c1", // runc does not wait for the end
			"exec --process /dev/stdin c1 <FILE",
			"exec --process /proc/self/fd/7 c1 7<FILE",
			"exec --process FIFO c1",
			"update --resources - c1 <LIMITS",
			"update --resources <(cat LIMITS) c1",
		} {
			d := newDirect(t)
			d.setPolicy(t, "mode: "+mode+"\n")
			if out, code := d.create(t); code != 0 {
				t.Fatal(out)
			}
			must(t, os.WriteFile(d.dir+"/p", []byte(greedy), 0o600))
			must(t, os.WriteFile(d.dir+"/r", []byte(`{"pids":{"limit":-1}}`), 0o600))
			must(t, syscall.Mkfifo(d.dir+"/f", 0o600))
			words := strings.NewReplacer("FILE", d.dir+"/p", "LIMITS", d.dir+"/r", "FIFO", d.dir+"/f").Replace(way)
			script := fmt.Sprintf("%s --root %s/root %s", d.bin, d.dir, words)
			if strings.Contains(way, "FIFO") {
				script = fmt.Sprintf("(sleep 0.2; cat %s/p >%s/f) & ", d.dir, d.dir) + script
			}
			cmd := exec.Command("bash", "-c", script)
			cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+d.policy)
			var said bytes.Buffer
			out, err := os.OpenFile(d.dir+"/said", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
			must(t, err)
			cmd.Stdout, cmd.Stderr = out, out
			err = cmd.Run()
			out.Close()
			said.WriteString(read(t, d.dir+"/said"))
			given := read(t, d.dir+"/given")
			asked := strings.Contains(given, `["CAP_SYS_ADMIN","CAP_KILL"]`) || strings.Contains(given, `{"pids":{"limit":-1}}`)
			if err != nil || said.Len() > 0 || given == "" || asked != (mode == "complain") {
				t.Errorf("%s: %s: %v %s\n%s", mode, way, err, said.String(), given)
			}
		}
	}
}
