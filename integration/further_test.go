package integration

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// created is a container of which hatchdog has a record.
func created(t *testing.T, policy string) *direct {
	t.Helper()
	d := newDirect(t)
	d.setPolicy(t, policy)
	if out, code := d.create(t); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	return d
}

// handedOver is the command line that the low-level runtime got, without the
// global flags.
func (d *direct) handedOver(t *testing.T) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(read(t, d.dir+"/started")), "\n")
	_, args, _ := strings.Cut(lines[len(lines)-1], "--log-format json ")
	return args
}

// wantHeld asserts that a later call was not handed over, and that the log of
// the engine and the audit log say why.
func (d *direct) wantHeld(t *testing.T, name, out string, code int, why string) {
	t.Helper()
	if code == 0 || d.starts(t) != 1 {
		t.Errorf("%s: exit code %d, %d starts: %s\n%s", name, code, d.starts(t), d.handedOver(t), out)
		return
	}
	d.wantLogged(t, why)
	if out, code := run(t, tested.hatchctl, "audit", "verify", d.dir+"/log/audit.jsonl"); code != 0 {
		t.Errorf("%s: %s", name, out)
	}
}

// withoutDisk takes the host's group disk away.
const withoutDisk = "profile: nodisk\nprofiles: {nodisk: {extends: builtin/restricted, privilege: {deniedGids: [6]}}}\n"

// What flags describe is handed on as a document that nobody can change; the
// container's own process is what the record has.
func TestExecFlags(t *testing.T) {
	const document = "exec --process=/proc/self/fd/"
	for args, want := range map[string][2]string{ // what is handed over, and a part of the document; "!why" where it is refused
		"exec --cap CAP_SYS_ADMIN c1 sh":              {"c1", `"CAP_KILL"],"effective"`},
		"exec -c sys_admin --cap=CAP_KILL c1 sh -c x": {"c1", `"CAP_KILL"],"effective"`},
		"exec c1 --cap CAP_SYS_ADMIN":                 {"c1", `"args":["--cap","CAP_SYS_ADMIN"]`}, // the command's own
		"exec --user 0:0 --env A=b --cwd / c1 sh":     {"c1", `"A=b"]`},
		"exec --no-new-privs=false c1 sh":             {"c1", `"noNewPrivileges":true`},
		"exec --additional-gids 6 -g 5000 c1 sh":      {"c1", `"additionalGids":[0,5000]`},
		"exec --additional-gids 4294967302 c1 sh":     {"!not a number that can be read"},
		"exec -g x c1 sh":                             {"!not a number that can be read"},
		"exec -u x c1 sh":                             {"!not a number that can be read"},
		"exec --apparmor unconfined c1 sh":            {"!leave the label"},
		"exec --process-label x c1 sh":                {"!leave the label"},
		"exec --preserve-fds 2 --ignore-paused c1 x":  {"--preserve-fds 2 --ignore-paused c1", `"args":["x"]`},
		"exec --unheard x c1 sh":                      {"!is not known"},
		"exec --unheard=x c1 sh":                      {"--unheard=x c1", `"args":["sh"]`},
		"exec c1":                                     {"!exec args cannot be empty"},
		"exec":                                        {"!no container id"},
		"exec ../c1 sh":                               {"!invalid container id"},
	} {
		d := created(t, withoutDisk)
		out, code := d.call(t, nil, strings.Fields(args)...)
		if why, refused := strings.CutPrefix(want[0], "!"); refused {
			d.wantHeld(t, args, out, code, why)
			continue
		}
		got, _ := strings.CutPrefix(d.handedOver(t), document)
		_, rest, _ := strings.Cut(got, " ")
		if given := read(t, d.dir+"/given"); code != 0 || rest != want[0] || !strings.Contains(given, want[1]) || !strings.Contains(given, `"noNewPrivileges":true`) {
			t.Errorf("%s: %d %s\nhanded over %s\n%s", args, code, out, d.handedOver(t), given)
		}
	}
}

// A bundle that was rewritten has no say in a further process.
func TestExecOfARewrittenBundle(t *testing.T) {
	d := created(t, "")
	config := d.bundle + "/config.json"
	must(t, os.WriteFile(config, []byte(`{"ociVersion":"1.2.0","process":{"cwd":"/elsewhere","args":["x"],"user":{"uid":0,"gid":0}}}`), 0o600))
	out, code := d.call(t, nil, "exec", "c1", "sh")
	if given := read(t, d.dir+"/given"); code != 0 || strings.Contains(given, "elsewhere") || !strings.Contains(given, `"noNewPrivileges":true`) {
		t.Errorf("%d %s\n%s", code, out, given)
	}
}

const greedy = `{"terminal":true,"user":{"uid":0,"gid":0,"additionalGids":[0,6]},"args":["sh"],"env":["A=b"],"cwd":"/","x-later":1.50,` +
	`"capabilities":{"bounding":["CAP_SYS_ADMIN","CAP_KILL"],"effective":["CAP_SYS_ADMIN","CAP_KILL"],"permitted":["CAP_SYS_ADMIN","CAP_KILL"]}}`

func TestExecProcess(t *testing.T) {
	for _, form := range [][]string{
		{"exec", "--process", "FILE", "--detach", "c1"},
		{"exec", "-p=FILE", "c1"},
		{"exec", "--preserve-fds", "4", "--process=FILE", "c1"},
		{"exec", "--process", "/nowhere", "--process", "FILE", "c1"},
	} {
		d := created(t, withoutDisk)
		file := d.dir + "/process.json"
		must(t, os.WriteFile(file, []byte(greedy), 0o600))
		args := slices.Clone(form)
		for i := range args {
			args[i] = strings.Replace(args[i], "FILE", file, 1)
		}
		if out, code := d.call(t, nil, args...); code != 0 {
			t.Errorf("%v: %d %s", form, code, out)
			continue
		}
		given := read(t, d.dir+"/given")
		var p specs.Process
		must(t, json.Unmarshal([]byte(given), &p))
		if !p.NoNewPrivileges || !slices.Equal(p.Capabilities.Bounding, []string{"CAP_KILL"}) || !slices.Equal(p.User.AdditionalGids, []uint32{0}) ||
			!p.Terminal || p.Args[0] != "sh" || !strings.Contains(given, `"x-later":1.50`) {
			t.Errorf("%v: %s", form, given)
		}
		if strings.Contains(d.handedOver(t), file) || read(t, file) != greedy {
			t.Errorf("%v: the engine's file was handed over or changed: %s", form, d.handedOver(t))
		}
	}
}

func TestBadProcesses(t *testing.T) {
	put := func(text string) func(string) error {
		return func(file string) error { return os.WriteFile(file, []byte(text), 0o600) }
	}
	for name, c := range map[string]struct {
		make func(file string) error
		why  string
	}{
		"missing":        {func(string) error { return nil }, "no such file"},
		"FIFO":           {func(f string) error { return syscall.Mkfifo(f, 0o600) }, "nobody writes to"},
		"FIFO of others": {func(f string) error { return errors.Join(syscall.Mkfifo(f, 0o666), os.Chmod(f, 0o666)) }, "writable by users"},
		"link":           {func(f string) error { return os.Symlink("/etc/passwd", f) }, "symbolic link"},
		"empty":          {put(""), "unexpected EOF"},
		"truncated":      {put(greedy[:len(greedy)/2]), "unexpected EOF"},
		"twice":          {put(`{"cwd":"/","cwd":"/"}`), "duplicate"},
		"other case":     {put(`{"Capabilities":{}}`), "case"},
		"huge":           {put(greedy + strings.Repeat(" ", 5<<20)), "larger than 4 MiB"},
		"deep":           {put(strings.Replace(greedy, "1.50", strings.Repeat("[", 5000)+strings.Repeat("]", 5000), 1)), "nested deeper"},
		"label":          {put(`{"args":["sh"],"apparmorProfile":"unconfined"}`), "leave the label"},
		"open to others": {func(f string) error { return os.WriteFile(f, []byte(greedy), 0o666) }, "writable by users"},
	} {
		t.Run(name, func(t *testing.T) {
			d := created(t, "")
			file := d.dir + "/process.json"
			must(t, c.make(file))
			if name == "open to others" {
				must(t, os.Chmod(file, 0o666))
			}
			out, code := d.call(t, nil, "exec", "--process", file, "c1")
			d.wantHeld(t, name, out, code, c.why)
		})
	}
}

func TestUpdateForms(t *testing.T) {
	for _, c := range []struct{ args, document, want, given string }{
		{"update --memory 8g --memory-swap -1 c1", "", "update --memory 536870912 --memory-swap 536870912 c1", ""},
		{"update --pids-limit -1 c1", "", "update --pids-limit 256 c1", ""},
		{"update --pids-limit 5 --cpu-share 7 c1", "", "update --pids-limit 5 --cpu-share 7 c1", ""},
		{"update --cpu-quota 500000 --cpu-period 100000 c1", "", "update --cpu-quota 100000 --cpu-period 100000 c1", ""},
		{"update --cpu-quota 5000 --cpu-period 100000 c1", "", "update --cpu-quota 5000 --cpu-period 100000 c1", ""},
		{"update --cpu-quota 5000 c1", "", "!give both", ""},
		{"update --cpu-period 1000 c1", "", "!give both", ""},
		{"update --memory x c1", "", "!not a number", ""},
		{"update c1 c2", "", "!one container id", ""},
		{"update --resources FILE c1", `{"memory":{"limit":-1},"cpu":{"shares":10 }}`, "", `{"memory":{"limit":536870912,"swap":536870912},"cpu":{"shares":10 }}`},
		{"update -r=FILE c1", `{"pids":{"limit":0}}`, "", `{"pids":{"limit":0}}`},
		{"update --resources - c1", `{"memory":{"limit":5}}`, "update --resources - c1", `{"memory":{"limit":5,"swap":5}}`},
		{"update --resources - c1", `{"unified":{"memory.max":"max"}}`, "update --resources - c1", `{"unified":{"memory.max":"536870912"}}`},
		{"update --resources - c1", `{"unified":{"cgroup.procs":"1"}}`, "!control of the group", ""},
		{"update --resources=- c1", `{"memory":`, "!unexpected EOF", ""},
		{"update --resources - c1", `[]`, "!not a JSON object", ""},
		{"update --resources /nowhere c1", "", "!no such file", ""},
	} {
		d := created(t, "profile: small\nprofiles: {small: {extends: builtin/untrusted, userns: {mode: auto}}}\n")
		file := d.dir + "/resources.json"
		must(t, os.WriteFile(file, []byte(c.document), 0o600))
		cmd := d.command(nil, strings.Fields(strings.Replace(c.args, "FILE", file, 1))...)
		cmd.Stdin = strings.NewReader(c.document)
		out, _ := cmd.CombinedOutput()
		code := cmd.ProcessState.ExitCode()
		if why, refused := strings.CutPrefix(c.want, "!"); refused {
			d.wantHeld(t, c.args, string(out), code, why)
			continue
		}
		if got := d.handedOver(t); code != 0 || c.want != "" && got != c.want || strings.Contains(got, file) {
			t.Errorf("%s: %d %s\nhanded over %s", c.args, code, out, got)
		}
		if c.given != "" && read(t, d.dir+"/given") != c.given {
			t.Errorf("%s of %s: given %s", c.args, c.document, read(t, d.dir+"/given"))
		}
	}
}

// Failing or dying before the hand-over, or without what a call needs: exec and
// update are not handed over.
func TestLaterCallsFailClosed(t *testing.T) {
	records := func(d *direct) string {
		found, _ := filepath.Glob(d.dir + "/state/*/c1/record.json")
		return strings.Join(found, "")
	}
	for _, args := range [][]string{{"exec", "c1", "sh"}, {"update", "--pids-limit", "5", "c1"}} {
		for name, c := range map[string]struct {
			prepare func(t *testing.T, d *direct)
			env     string
			why     string
		}{
			"error":         {nil, "HATCHDOG_FAULT=audited=error", "injected fault"},
			"killed":        {nil, "HATCHDOG_FAULT=audited=kill", ""},
			"no record":     {func(t *testing.T, d *direct) { must(t, os.Remove(records(d))) }, "", "hatchdog did not create it"},
			"half a record": {func(t *testing.T, d *direct) { must(t, os.Truncate(records(d), 50)) }, "", "record of c1"},
			"empty record":  {func(t *testing.T, d *direct) { must(t, os.WriteFile(records(d), []byte("{}"), 0o600)) }, "", "what it is held to"},
			"no audit log": {func(t *testing.T, d *direct) {
				must(t, os.RemoveAll(d.dir+"/log"))
				must(t, os.WriteFile(d.dir+"/log", nil, 0o600))
			}, "", "audit"},
			"no runtime": {func(t *testing.T, d *direct) { must(t, os.Rename(d.dir+"/runc", d.dir+"/gone")) }, "", "no such file"},
		} {
			t.Run(args[0]+" "+name, func(t *testing.T) {
				d := created(t, "")
				if c.prepare != nil {
					c.prepare(t, d)
				}
				d.bin = tested.faulty
				out, code := d.call(t, []string{c.env}, args...)
				if code == 0 || d.starts(t) != 1 {
					t.Fatalf("exit code %d, %d starts\n%s", code, d.starts(t), out)
				}
				if c.why != "" {
					d.wantLogged(t, c.why)
				}
			})
		}
	}
}

// What was taken is given back once the low-level runtime knows the container
// no more, whatever happened on the way.
func TestDeleteGivesBack(t *testing.T) {
	gone := func(t *testing.T, d *direct) {
		t.Helper()
		if left, _ := filepath.Glob(d.dir + "/state/*/c1"); len(left) > 0 {
			t.Errorf("a record is left: %v", left)
		}
	}
	t.Run("force", func(t *testing.T) {
		d := created(t, "")
		if out, code := d.call(t, nil, "delete", "--force", "c1"); code != 0 || d.handedOver(t) != "delete --force c1" {
			t.Errorf("%d %s", code, out)
		}
		gone(t, d)
	})
	t.Run("the runtime fails and the container stays", func(t *testing.T) {
		d := created(t, "")
		if out, code := d.call(t, []string{"FAIL=3"}, "delete", "c1"); code != 3 {
			t.Errorf("%d %s", code, out)
		}
		if left, _ := filepath.Glob(d.dir + "/state/*/c1/record.json"); len(left) != 1 {
			t.Error("the record of a container that is there is gone")
		}
		if out, code := d.call(t, nil, "exec", "--cap", "CAP_SYS_ADMIN", "c1", "sh"); code != 0 || !strings.HasPrefix(d.handedOver(t), "exec --process=/proc/self/fd/") {
			t.Errorf("%d %s", code, out)
		}
	})
	t.Run("the runtime says that it is gone", func(t *testing.T) {
		d := created(t, "")
		must(t, os.RemoveAll(d.dir+"/root/c1"))
		if out, code := d.call(t, []string{"FAIL=1"}, "delete", "c1"); code != 1 {
			t.Errorf("%d %s", code, out)
		}
		gone(t, d)
	})
	t.Run("killed half-way", func(t *testing.T) {
		d := created(t, "")
		if out, code := d.call(t, []string{"KILL=1"}, "delete", "--force", "c1"); code == 0 {
			t.Errorf("%d %s", code, out)
		}
		if _, err := os.Stat(d.dir + "/root/c1"); err == nil {
			t.Fatal("the container is still there")
		}
		// The engine tries again, or makes a new one of this name.
		if out, code := d.call(t, []string{"FAIL=1"}, "delete", "--force", "c1"); code != 1 {
			t.Errorf("%d %s", code, out)
		}
		gone(t, d)
		d.wantCreated(t)
	})
	t.Run("killed half-way and created anew", func(t *testing.T) {
		d := created(t, "")
		d.call(t, []string{"KILL=1"}, "delete", "c1")
		d.wantCreated(t)
	})
	t.Run("never created", func(t *testing.T) {
		d := newDirect(t)
		if out, code := d.call(t, []string{"FAIL=1"}, "delete", "--force", "c9"); code != 1 || d.starts(t) != 1 {
			t.Errorf("%d %s", code, out)
		}
	})
	t.Run("a bad id", func(t *testing.T) {
		d := created(t, "")
		// No such container was ever made: it is the low-level runtime's to say so.
		d.call(t, nil, "delete", "--force", "../c1")
		if got := d.handedOver(t); got != "delete --force ../c1" {
			t.Error(got)
		}
		if left, _ := filepath.Glob(d.dir + "/state/*/c1/record.json"); len(left) != 1 {
			t.Error("the record of another is gone")
		}
	})
}
