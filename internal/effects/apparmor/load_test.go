package apparmor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

// fake is a loader whose kernel is a folder and whose parser is a script.
func fake(t *testing.T, script, loaded string) Loader {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"sys/module/apparmor/parameters/enabled": "Y\n",
		"sys/kernel/security/apparmor/profiles":  loaded,
		"proc/self/attr/apparmor/current":        "unconfined\n",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	parser := filepath.Join(root, "parser")
	text := fmt.Sprintf("#!/bin/sh\ncat >%s/stdin\necho \"$@\" >>%s/called\nlist=%s/sys/kernel/security/apparmor/profiles\n%s\n", root, root, root, script)
	if err := os.WriteFile(parser, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return Loader{Root: root, Parser: parser, Lock: filepath.Join(root, "state", "lock"), Timeout: 2 * time.Second}
}

func (l Loader) called() string {
	data, _ := os.ReadFile(filepath.Join(l.Root, "called"))
	return strings.TrimSpace(string(data))
}

const works = `echo "hatchdog-restricted (enforce)" >$list`

func TestEnsure(t *testing.T) {
	for name, was := range map[string]string{"missing": "", "in complain mode": "hatchdog-restricted (complain)\n"} {
		l := fake(t, works, was)
		if err := l.Ensure(profiles.Restricted); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if l.called() != "--replace --skip-cache" {
			t.Errorf("%s: parser called with %q", name, l.called())
		}
		text, _ := profiles.Text(profiles.Restricted)
		if got, _ := os.ReadFile(filepath.Join(l.Root, "stdin")); string(got) != text {
			t.Errorf("%s: the parser read %q", name, got)
		}
	}
	l := fake(t, works, "hatchdog-restricted (enforce)\n")
	if err := l.Ensure(profiles.Restricted); err != nil || l.called() != "" {
		t.Error("loaded although it is there", err)
	}
	if err := l.Replace(profiles.Restricted); err != nil || l.called() == "" {
		t.Error("not replaced", err)
	}
}

func TestParserThatDoesNotLoad(t *testing.T) {
	for script, want := range map[string]string{
		"echo 'syntax  error\nin line 3' >&2; exit 1": "exit status 1: syntax error in line 3",
		"exit 1": "it gave no reason",
		"exit 0": "it is not loaded",
		`echo "hatchdog-restricted (complain)" >$list`: "complain mode",
		"kill -9 $$": "signal: killed",
		"rm $list":   "is securityfs mounted",
		"i=0; while [ $i -lt 999 ]; do echo long text >&2; i=$((i+1)); done; exit 2": "...",
	} {
		l := fake(t, script, "")
		err := l.Ensure(profiles.Restricted)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 600 {
			t.Errorf("%s: %v", script, err)
		}
	}
	l := fake(t, works, "")
	l.Parser = filepath.Join(l.Root, "absent")
	if err := l.Ensure(profiles.Restricted); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := l.Ensure("docker-default"); !errors.Is(err, ErrNotOurs) || l.called() != "" {
		t.Error(err)
	}
}

// A parser that hangs is ended, with what it started and left on its pipes.
func TestParserThatHangs(t *testing.T) {
	for _, script := range []string{"sleep 61 & echo $! >$pid; wait", "trap '' TERM; echo $$ >$pid; while :; do sleep 1; done"} {
		file := filepath.Join(t.TempDir(), "pid")
		l := fake(t, "pid="+file+"; "+script, "")
		l.Timeout = 500 * time.Millisecond
		begun := time.Now()
		if err := l.Ensure(profiles.Restricted); err == nil || !strings.Contains(err.Error(), "did not end within 500ms") {
			t.Errorf("%s: %v", script, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: %s", script, took)
		}
		pid, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A process that nobody has reaped yet has no command line.
		if line, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/cmdline"); len(line) > 0 {
			t.Errorf("%s: still there: %q", script, line)
		}
	}
}

func TestLockThatIsHeld(t *testing.T) {
	l := fake(t, works, "")
	l.Timeout = 200 * time.Millisecond
	if err := os.MkdirAll(filepath.Dir(l.Lock), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(l.Lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := l.Ensure(profiles.Restricted); !errors.Is(err, ErrLocked) || l.called() != "" {
		t.Error(err)
	}
}

// Of many creates at once one loads.
func TestEnsureAtOnce(t *testing.T) {
	l := fake(t, "sleep 0.2; "+works, "")
	l.Timeout = 10 * time.Second
	done := make(chan error)
	for range 8 {
		go func() { done <- l.Ensure(profiles.Restricted) }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(l.called(), "--replace"); n != 1 {
		t.Errorf("the parser was called %d times", n)
	}
}

func TestUnload(t *testing.T) {
	l := fake(t, ": >$list", "hatchdog-restricted (enforce)\n")
	if err := l.Unload(profiles.Restricted); err != nil || l.called() != "--remove" {
		t.Error(l.called(), err)
	}
	l = fake(t, "", "hatchdog-restricted (enforce)\n")
	if err := l.Unload(profiles.Restricted); !errors.Is(err, ErrNoEffect) {
		t.Error(err)
	}
	if err := l.Unload("docker-default"); !errors.Is(err, ErrNotOurs) {
		t.Error(err)
	}
}

func TestFindParser(t *testing.T) {
	dir := t.TempDir()
	getenv := func(string) string { return ":relative:" + dir }
	if path, err := FindParser(getenv); err == nil && !strings.HasPrefix(path, "/usr/sbin/") {
		t.Error(path)
	} else if err != nil && !errors.Is(err, ErrNoParser) {
		t.Error(err)
	}
}
