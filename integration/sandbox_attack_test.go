package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The report is written by root: the command does not lead it elsewhere.
func TestBoxReportFileIsNobodyElses(t *testing.T) {
	b := newBoxed(t)
	must(t, os.Mkdir(b.dir+"/other", 0o755))
	precious := b.dir + "/other/precious"
	must(t, os.WriteFile(precious, []byte("precious"), 0o644))
	must(t, os.Symlink(precious, b.dir+"/link"))
	must(t, os.Link(precious, b.dir+"/hard"))
	must(t, syscall.Mkfifo(b.dir+"/pipe", 0o666))
	for _, name := range []string{"link", "hard", "pipe", "/dev/null"} {
		if _, errs, code := b.sh(t, "echo ran", "--report", "json", "--report-file", name); code != 125 || !strings.Contains(errs, "--report-file") {
			t.Errorf("%s: %d %s", name, code, errs)
		}
	}
	_, errs, _ := b.sh(t, "rm -f r.json; ln -s "+precious+" r.json; true", "--rw", ".", "--report", "json", "--report-file", "r.json")
	if !strings.Contains(errs, "something else is there now") {
		t.Error(errs)
	}
	if got := read(t, precious); got != "precious" {
		t.Errorf("written: %s", got)
	}
	if _, errs, code := b.sh(t, "echo false >s.json; exit 5", "--rw", ".", "--report", "json", "--report-file", "s.json"); code != 5 || !strings.HasPrefix(read(t, b.dir+"/s.json"), `{"name"`) {
		t.Errorf("%d %s", code, errs)
	}
}

// The line of a service to its manager is not the command's.
func TestBoxHasNoLineToTheServiceManager(t *testing.T) {
	b := newBoxed(t)
	socket := b.dir + "/notify"
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	defer syscall.Close(fd)
	must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket}))
	cmd, out, errs := b.command(t, "--", "sh", "-c", "env; ls -R /run")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket, "LISTEN_FDS=1", "LISTEN_PID=1")
	_ = cmd.Run()
	if cmd.ProcessState.ExitCode() != 0 || strings.Contains(strings.ToLower(out.String()), "notify") || strings.Contains(out.String(), "LISTEN") {
		t.Errorf("%d %s%s", cmd.ProcessState.ExitCode(), out, errs)
	}
}

// Who calls is known, or nothing runs: half of sudo's word does not make root.
func TestBoxWithHalfOfSudo(t *testing.T) {
	b := newBoxed(t)
	for _, env := range [][]string{{"SUDO_UID=54321"}, {"SUDO_GID=54321"}, {"SUDO_UID=x", "SUDO_GID=5"}} {
		cmd, out, errs := b.command(t, "--", "id", "-u")
		cmd.Env = append(cmd.Env, env...)
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != 125 || out.Len() > 0 {
			t.Errorf("%v: %d %s%s", env, cmd.ProcessState.ExitCode(), out, errs)
		}
	}
}

// What a command writes does not make git run it on the host.
func TestBoxIsNotRunByGit(t *testing.T) {
	b := newBoxed(t)
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = b.dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	must(t, os.RemoveAll(b.dir+"/.git"))
	git("init", "-q")
	git("init", "-q", "--bare", "sub/store")
	git("init", "-q", "--separate-git-dir=apart", "work")
	git("config", "core.hooksPath", ".githooks")
	git("config", "include.path", "../settings")
	_, errs, code := b.sh(t, `bad="[core]
	repositoryformatversion = 0
	fsmonitor = touch RAN; false"
mkdir evil; cp -r .git/objects .git/refs .git/HEAD evil; echo "$bad" >evil/config; echo ../evil >.git/commondir
echo "$bad" >settings; mkdir -p .githooks; printf '#!/bin/sh\ntouch RAN\n' >.githooks/pre-commit; chmod 755 .githooks/pre-commit
mv sub sub2; mv apart apart2; for d in .git sub/store sub2/store apart apart2; do echo "$bad" >$d/config; done
git -C . -c user.name=n -c user.email=a@b commit --allow-empty -qm "from the box"`, "--rw", ".")
	if code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	git("status")
	git("-C", "work", "status")
	git("-C", "sub/store", "rev-parse")
	git("-c", "user.name=n", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "x")
	if log := git("log", "--format=%s"); log != "x\nfrom the box\n" {
		t.Error(log)
	}
	for _, dir := range []string{"", "/work", "/sub/store"} {
		if _, err := os.Stat(b.dir + dir + "/RAN"); err == nil {
			t.Error("git ran it")
		}
	}
	for _, name := range []string{".git/commondir", "settings", ".githooks"} {
		if _, err := os.Lstat(b.dir + "/" + name); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

// What the host puts in the place of something hidden or kept has nothing mounted
// on it: the box ends before much comes of it. Git's own settings are not replaced.
func TestBoxEndsWhenTheHostReplacesWhatIsClosed(t *testing.T) {
	for change, path := range map[string]string{
		"echo KEY=new >new; mv new api/.env":         "/api/.env",
		"rm -rf .vscode; mkdir .vscode":              "/.vscode",
		"echo '[core]' >new; mv new .git/config":     "/.git/config",
		"git config a.b c; touch x .git/x; rm -f x":  "",
		"rm .env; mv api api2; mkdir api; touch api": "",
	} {
		b := newBoxed(t)
		must(t, os.Mkdir(b.dir+"/.git/objects", 0o755))
		must(t, os.Mkdir(b.dir+"/.git/refs", 0o755))
		must(t, os.WriteFile(b.dir+"/.git/HEAD", []byte("ref: refs/heads/main\n"), 0o644))
		cmd, out, errs := b.command(t, "--rw", ".", "--", "sh", "-c", "touch ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.3; [ ! -e done ] || exit 3; done")
		must(t, cmd.Start())
		for range 200 {
			if _, err := os.Stat(b.dir + "/ready"); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		host := exec.Command("sh", "-c", change)
		host.Dir = b.dir
		said, _ := host.CombinedOutput()
		time.Sleep(200 * time.Millisecond)
		must(t, os.WriteFile(b.dir+"/done", nil, 0o644))
		_ = cmd.Wait()
		code, ended := cmd.ProcessState.ExitCode(), "ended: "+b.dir+path+" was replaced"
		if path == "" && code != 3 || path != "" && (code != 125 || !strings.Contains(errs.String(), ended)) {
			t.Errorf("%s: %d %s%s%s", change, code, said, out, errs)
		}
		if strings.Contains(change, "git config") && !strings.Contains(string(said), "could not lock config file") {
			t.Errorf("git replaced its settings: %s", said)
		}
	}
}

// What a command sends to the first process of its box does not end that.
func TestBoxOutlivesSignals(t *testing.T) {
	b := newBoxed(t)
	out, errs, code := b.sh(t, "trap '' HUP INT QUIT USR1 USR2 ALRM TERM; for i in $(seq 1 64); do case $i in 32|33) ;; *) kill -$i 1 2>/dev/null;; esac; done; sleep 0.5; echo lives; exit 4")
	if code != 4 || out != "lives\n" || errs != "" {
		t.Errorf("%d %s%.300s", code, out, errs)
	}
}

// A repository's own file opens nothing that the caller's grant leaves closed.
func TestBoxIsNotWidenedByTheRepository(t *testing.T) {
	b := newBoxed(t)
	must(t, os.MkdirAll(b.dir+"/.hatchdog", 0o755))
	must(t, os.MkdirAll(b.dir+"/.vscode", 0o755))
	must(t, os.WriteFile(b.dir+"/.git/HEAD", []byte("ref: refs/heads/main\n"), 0o644))
	must(t, os.Mkdir(b.dir+"/.git/objects", 0o755))
	text := []byte("version: 1\nrw: [.git, .vscode, api]\n")
	must(t, os.WriteFile(b.dir+"/.hatchdog/sandbox.yaml", text, 0o644))
	digest := sha256.Sum256(text)
	out, errs, code := b.sh(t, "for f in .git/config .git/hooks/x .git/commondir .vscode/x; do (echo evil >$f) 2>/dev/null && echo WROTE $f; done; cat api/.env; echo x >api/x; echo ran",
		"--rw", ".", "--policy-from", ".hatchdog/sandbox.yaml", "--policy-accept", hex.EncodeToString(digest[:]))
	if code != 0 || out != "ran\n" {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if read(t, b.dir+"/api/x") != "x\n" {
		t.Error("what was listed and granted is closed")
	}
}
