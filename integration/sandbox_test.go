package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// boxed is a directory with a repository in it, from which commands are run in
// boxes.
type boxed struct{ dir string }

func newBoxed(t *testing.T) *boxed {
	t.Helper()
	dir := filepath.Join(tested.dir, "box-"+strings.ToLower(filepath.Base(t.TempDir()))+strings.ReplaceAll(t.Name(), "/", "-"))
	must(t, os.MkdirAll(dir+"/.git/hooks", 0o755))
	t.Cleanup(func() {
		killMatching(dir) // what a thief outside of a box left
		must(t, os.RemoveAll(dir))
	})
	for name, text := range map[string]string{
		".env": "KEY=the-secret", ".git/config": "[core]\n", ".git/hooks/pre-commit": "the-hook", "README": "read me\n", "api/.env": "KEY=the-secret",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return &boxed{dir}
}

// boxDir keeps the boxes of these tests apart from those of the host and of other
// runs of the tests.
func boxDir() string { return "--box-dir=" + filepath.Join(tested.dir, "boxes") }

func (b *boxed) command(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(tested.hatchctl, append([]string{"run", boxDir()}, args...)...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pinnedRunc(t))+":"+os.Getenv("PATH"), "HATCHDOG_POLICY=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return cmd, &out, &errs
}

// run runs a command in a box, and returns what it printed, what was said of it
// and its exit code.
func (b *boxed) run(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	cmd, o, e := b.command(t, args...)
	_ = cmd.Run()
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func (b *boxed) sh(t *testing.T, script string, flags ...string) (out, errs string, code int) {
	t.Helper()
	return b.run(t, append(flags, "--", "sh", "-c", script)...)
}

func TestBoxSeesTheSystemAndItsDirectory(t *testing.T) {
	b := newBoxed(t)
	out, errs, code := b.sh(t, `cat README; cat .env api/.env .git/hooks/pre-commit; echo x >f; ls -a $HOME /tmp; ls /root /home /etc/shadow /var/lib; echo "[$SECRET]"; cat /proc/net/dev; grep -E 'Cap|NoNew|Seccomp:' /proc/self/status; cat /proc/self/uid_map; ps ax | wc -l; exit 7`)
	if code != 7 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{"read me", "[]", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, no := range []string{"the-secret", "the-hook", "eth0", "shadow"} {
		if strings.Contains(out, no) {
			t.Errorf("%q in\n%s", no, out)
		}
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "0" && f[1] == "0" {
			t.Errorf("root of the host is mapped: %s", line)
		}
	}
	if _, err := os.Stat(b.dir + "/f"); err == nil {
		t.Error("it wrote into its directory")
	}
}

func TestBoxWritesOnlyWhereItMay(t *testing.T) {
	b := newBoxed(t)
	before := names(t, b.dir)
	out, errs, code := b.sh(t, `echo new >made; mkdir .git/refs; echo ref >.git/refs/x
for f in .git/hooks/post-checkout .git/config .git/config.worktree .vscode/tasks.json .github/workflows/x.yml .husky/x .claude/x .hatchdog/sandbox.yaml; do mkdir -p $(dirname $f); echo evil >$f && echo "WROTE $f"; done 2>/dev/null
mv .git .g && echo MOVED; mv .vscode .v && echo MOVED; rmdir .vscode && echo REMOVED; rm -rf .git/hooks && echo REMOVED; mv .git/hooks .git/h && echo MOVED
ln -s /x .vscode2; ln .git/config linked && echo LINKED; mv api api2; cat api2/.env; exit 0`, "--rw", ".")
	if code != 0 || strings.Contains(out, "WROTE") || strings.Contains(out, "MOVED") || strings.Contains(out, "REMOVED") || strings.Contains(out, "LINKED") || strings.Contains(out, "the-secret") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if got := read(t, b.dir+"/made"); got != "new\n" {
		t.Errorf("made: %q", got)
	}
	if got := read(t, b.dir+"/.git/hooks/pre-commit"); got != "the-hook" {
		t.Errorf("the hook: %q", got)
	}
	for _, n := range names(t, b.dir) {
		if !strings.Contains(strings.Join(before, "\n")+"\nmade\n.vscode2\napi2\n.git", n) {
			t.Errorf("%s is left", n)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// What root made in a box belongs to the caller, and is no way to another user.
func TestBoxKeepsTheCallersOwnership(t *testing.T) {
	b := newBoxed(t)
	must(t, os.Chown(b.dir, someUser, someUser))
	cmd, out, errs := b.command(t, "--rw", ".", "--", "sh", "-c", "id -u; echo x >mine; cp /bin/sh s; chmod 4755 s; chmod 2755 s; python3 -c 'import os; os.open(\"t\", os.O_CREAT|os.O_WRONLY, 0o4755)'; ls -ln")
	cmd.Env = append(cmd.Env, "SUDO_UID=54321", "SUDO_GID=54321")
	_ = cmd.Run()
	if cmd.ProcessState.ExitCode() != 0 || !strings.HasPrefix(out.String(), "54321\n") {
		t.Fatalf("%d %s %s", cmd.ProcessState.ExitCode(), out, errs)
	}
	var st syscall.Stat_t
	must(t, syscall.Stat(b.dir+"/mine", &st))
	if st.Uid != someUser || st.Gid != someUser {
		t.Errorf("it belongs to %d:%d", st.Uid, st.Gid)
	}
	for _, name := range []string{"s", "t"} {
		if err := syscall.Stat(filepath.Join(b.dir, name), &st); err == nil && st.Mode&0o6000 != 0 {
			t.Errorf("%s: mode %o", name, st.Mode)
		}
	}
}

func TestBoxRunsProgramsWhereItWritesOnlyWithExec(t *testing.T) {
	b := newBoxed(t)
	const script = "cp /bin/echo e; ./e ran; cp /bin/echo /tmp/e; /tmp/e ran"
	if out, _, code := b.sh(t, script, "--rw", "."); code != 126 || strings.Contains(out, "ran") {
		t.Errorf("%d %s", code, out)
	}
	if out, errs, code := b.sh(t, script, "--rw", ".", "--exec"); code != 0 || strings.Count(out, "ran") != 2 {
		t.Errorf("%d %s %s", code, out, errs)
	}
}

func TestBoxLimits(t *testing.T) {
	b := newBoxed(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		said string
	}{
		{"time", []string{"--time", "2s", "--", "sleep", "1000"}, 124, "--time 2s was over"},
		{"time of one that does not listen", []string{"--time", "1s", "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done"}, 124, "--time 1s was over"},
		{"memory", []string{"--memory", "64MiB", "--", "python3", "-c", "x = bytearray(1 << 30)"}, 122, "killed for lack of memory, --memory 64MiB"},
		{"output", []string{"--output", "1MiB", "--", "sh", "-c", "head -c 10000000000 /dev/zero"}, 121, "printed more than --output 1MiB"},
		{"processes", []string{"--pids", "30", "--", "python3", "-c", "import os, sys, time\nfor i in range(100):\n  try:\n    if os.fork() == 0: time.sleep(9)\n  except BlockingIOError: sys.exit(3)"}, 3, "forks refused  (--pids 60)"},
		{"disk", []string{"--", "sh", "-c", "head -c 100000000 /dev/zero >/tmp/x || exit 5"}, 5, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			out, errs, code := b.run(t, c.args...)
			if code != c.code || !strings.Contains(errs, c.said) {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errs)
			}
			if len(out) > 1<<20 {
				t.Errorf("%d bytes", len(out))
			}
			if took := time.Since(began); took > 60*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestBoxExitCodes(t *testing.T) {
	b := newBoxed(t)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"--", "sh", "-c", "exit 42"}, 42},
		{[]string{"--", "sh", "-c", "kill -9 $$"}, 137},
		{[]string{"--", "sh", "-c", "kill -TERM $$"}, 143},
		{[]string{"--", "no-such-program"}, 127},
		{[]string{"--", "./README"}, 126},
		{[]string{"--rw", "/etc", "--", "true"}, 125},
		{[]string{"--ro", "no-such-file", "--", "true"}, 125},
		{[]string{"--secret", "NOT_SET_HERE", "--", "true"}, 125},
		{[]string{"--allow", "internet:443", "--", "true"}, 125},
		{[]string{"--allow", "a_b!.example.org", "--", "true"}, 125},
		{[]string{"--allow", "registries", "--", "true"}, 125},
		{[]string{"--report", "xml", "--", "true"}, 64},
		{[]string{}, 64},
	} {
		if _, errs, code := b.run(t, c.args...); code != c.code {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, errs)
		}
	}
}

func TestBoxHandsSignalsOn(t *testing.T) {
	b := newBoxed(t)
	cmd, out, errs := b.command(t, "--", "sh", "-c", "trap 'echo heard; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
	file, err := os.CreateTemp(t.TempDir(), "out")
	must(t, err)
	cmd.Stdout = file
	must(t, cmd.Start())
	for range 200 {
		if strings.Contains(read(t, file.Name()), "ready") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	if got := read(t, file.Name()); cmd.ProcessState.ExitCode() != 9 || !strings.Contains(got, "heard") {
		t.Errorf("exit code %d: %s%s%s", cmd.ProcessState.ExitCode(), got, out, errs)
	}
}

// Whatever ends, nothing of the box goes on.
func TestBoxLeavesNobody(t *testing.T) {
	b := newBoxed(t)
	if out, errs, code := b.sh(t, "(setsid sh -c 'setsid sleep 7654321 & sleep 7654321' >/dev/null 2>&1 &); echo done"); code != 0 || out != "done\n" {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	if left := running("7654321"); left != "" {
		t.Error(left)
	}
	cmd, _, _ := b.command(t, "--rw", ".", "--name", "killed", "--", "sleep", "7654322")
	cmd.Stdout, cmd.Stderr = nil, nil
	must(t, cmd.Start())
	for range 200 {
		if strings.Contains(running("7654322"), "in-the-box") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if out, _ := run(t, tested.hatchctl, "list"); !strings.Contains(out, "killed") {
		t.Errorf("list does not know it:\n%s", out)
	}
	if out, code := run(t, tested.hatchctl, "explain", "killed"); code != 0 || !strings.Contains(out, "killed") {
		t.Errorf("explain does not know it:\n%s", out)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for range 100 {
		if running("7654322") == "" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if left := running("7654322"); left != "" {
		t.Error(left)
	}
	// The next run, wherever it is, takes away what is left: the bundle, the record,
	// the stand-ins.
	if out, errs, code := newBoxed(t).sh(t, "true"); code != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	if out, _ := run(t, tested.hatchctl, "list"); strings.Contains(out, "killed") {
		t.Errorf("left:\n%s", out)
	}
	for _, n := range names(t, b.dir) {
		if n == ".vscode" || n == ".github" {
			t.Errorf("%s is left", n)
		}
	}
}

// A box has its name among the boxes alone: a container, a control group and a
// profile of the same name are others', and stay.
func TestBoxWithTheNameOfOthers(t *testing.T) {
	b := newBoxed(t)
	dir := makeBundle(t, "while :; do :; done")
	must(t, exec.Command("sed", "-i", `s/"hatchdog-test-[^"]*"/"sandbox"/`, dir+"/config.json").Run())
	file, err := os.OpenFile(dir+"/out", os.O_CREATE|os.O_RDWR, 0o600)
	must(t, err)
	defer file.Close()
	other := exec.Command(pinnedRunc(t), "create", "--bundle", dir, "sandbox")
	other.Stdout, other.Stderr = file, file
	must(t, other.Run())
	t.Cleanup(func() { _ = exec.Command(pinnedRunc(t), "delete", "--force", "sandbox").Run() })
	if out, errs, code := b.sh(t, "echo ran", "--name", "sandbox"); code != 0 || out != "ran\n" {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if out := mustRun(t, pinnedRunc(t), "state", "sandbox"); !strings.Contains(out, `"status": "created"`) {
		t.Error(out)
	}
	if _, errs, code := b.sh(t, "echo ran", "--name", "docker"); code != 0 {
		t.Error(errs)
	}
}

// When nobody reads on, the command ends, and nothing is left.
func TestBoxWhoseReaderGoes(t *testing.T) {
	b := newBoxed(t)
	cmd, _, _ := b.command(t)
	sh := exec.Command("sh", "-c", `"$0" run "$1" --rw . --time 20s -- yes | head -n 1; ls -a`, tested.hatchctl, boxDir())
	sh.Dir, sh.Env = cmd.Dir, cmd.Env
	began := time.Now()
	out, err := sh.CombinedOutput()
	time.Sleep(500 * time.Millisecond)
	if err != nil || !strings.HasPrefix(string(out), "y\n") || time.Since(began) > 15*time.Second {
		t.Errorf("%v after %v: %s", err, time.Since(began), out)
	}
	for _, n := range names(t, b.dir) {
		if n == ".vscode" {
			t.Error("a stand-in is left")
		}
	}
}

// Two boxes in one directory: what one ends with, the other goes on to need.
func TestBoxesShareStandIns(t *testing.T) {
	b := newBoxed(t)
	first, out, errs := b.command(t, "--rw", ".", "--", "sh", "-c", "touch one; while [ ! -e go ]; do sleep 0.1; done; mkdir -p .vscode/x && echo WROTE; rmdir .vscode && mkdir .vscode && echo WROTE; true")
	must(t, first.Start())
	for range 200 {
		if _, err := os.Stat(b.dir + "/one"); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if out, errs, code := b.sh(t, "mkdir .vscode/x && echo WROTE; true", "--rw", "."); code != 0 || strings.Contains(out, "WROTE") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	must(t, os.WriteFile(b.dir+"/go", nil, 0o644))
	_ = first.Wait()
	if first.ProcessState.ExitCode() != 0 || strings.Contains(out.String(), "WROTE") {
		t.Errorf("%d %s%s", first.ProcessState.ExitCode(), out, errs)
	}
	for _, n := range names(t, b.dir) {
		if n == ".vscode" {
			t.Error("a stand-in is left")
		}
	}
}

func running(word string) string {
	var all []string
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range cmdlines {
		data, err := os.ReadFile(c)
		if line := strings.ReplaceAll(string(data), "\x00", " "); err == nil && strings.Contains(line, word) && !strings.Contains(line, "hatchctl run") {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

func TestBoxSecrets(t *testing.T) {
	b := newBoxed(t)
	cmd, out, errs := b.command(t, "--secret", "TOKEN", "--name", "secretive", "--", "sh", "-c", `cat /run/secrets/TOKEN; env; cat /proc/1/environ /proc/1/cmdline | tr '\0' '\n'`)
	cmd.Env = append(cmd.Env, "TOKEN=s3cr3t-value", "OTHER_TOKEN=other-value")
	_ = cmd.Run()
	if got := out.String(); strings.Count(got, "s3cr3t-value") != 1 || strings.Contains(got, "other-value") {
		t.Errorf("%s%s", got, errs)
	}
	if data, err := os.ReadFile("/var/log/hatchdog/audit.jsonl"); err == nil && bytes.Contains(data, []byte("s3cr3t-value")) {
		t.Error("the audit log has it")
	}
}

// Where a call comes from grants nothing that nobody named.
func TestBoxFromEverywhere(t *testing.T) {
	for _, dir := range []string{"/", "/etc", "/root", "/home", "/var", "/proc/self", "/tmp"} {
		b := &boxed{dir}
		out, errs, code := b.sh(t, "pwd; ls -a; ls /etc/shadow /root")
		if code == 125 || !strings.HasPrefix(out, "/box\n") || strings.Contains(out, "/etc/shadow") {
			t.Errorf("%s: %d %s%s", dir, code, out, errs)
		}
	}
	b := newBoxed(t)
	cmd, out, errs := b.command(t, "--", "sh", "-c", "echo $HOME; cat README")
	cmd.Env = []string{"PATH=" + filepath.Dir(pinnedRunc(t)) + ":/usr/bin:/bin"}
	if _ = cmd.Run(); out.String() != "/box\nread me\n" {
		t.Errorf("without HOME: %s%s", out, errs)
	}
}

// A repository chooses nothing of what it is given.
func TestBoxOfAHostileRepository(t *testing.T) {
	b := newBoxed(t)
	must(t, os.Symlink("/etc", b.dir+"/build"))
	if _, errs, code := b.sh(t, "true", "--rw", "build"); code != 125 || !strings.Contains(errs, "symbolic link") {
		t.Errorf("%d %s", code, errs)
	}
	must(t, os.Symlink("/etc/passwd", b.dir+"/api/.npmrc"))
	must(t, os.WriteFile(b.dir+"/\x1b]0;owned\x07\n.env", []byte("x"), 0o644))
	must(t, os.Mkdir(b.dir+"/\nnew", 0o755))
	must(t, os.WriteFile(b.dir+"/\nnew/.env", []byte("the-secret"), 0o644))
	out, errs, code := b.sh(t, "cat */.env; echo fine", "--report", "json")
	if code != 0 || strings.Contains(out, "the-secret") || strings.Contains(errs, "\x1b") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	must(t, os.Symlink("/tmp", b.dir+"/.vscode"))
	if _, errs, code := b.sh(t, "true", "--rw", "."); code != 125 || !strings.Contains(errs, ".vscode") {
		t.Errorf("%d %s", code, errs)
	}
}
