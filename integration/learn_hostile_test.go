package integration

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const hostileProgram = `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void reach(const char *to) {
	struct sockaddr_in a = {AF_INET, htons(80)};
	inet_pton(AF_INET, to, &a.sin_addr);
	connect(socket(AF_INET, SOCK_DGRAM, 0), (void *)&a, sizeof a);
}
int main(int argc, char **argv) {
	static char longest[4097];
	memset(longest, 'A', 4096);
	const char *names[] = {"x\n  evil: {}", "\"\n- x: y", "\xe2\x80\xae live", "\xc2\x85rules: []", "\x1b]0;x\a", "# x", longest, "\nmode: complain", "\xff\xfe"};
	const char *paths[] = {"/tmp/x\ncapabilities: {max: [CAP_SYS_ADMIN]}", "/tmp/\xe2\x80\xa8y", "/z\"\n    extends: builtin/baseline", "/tmp/\n- \t\xff"};
	if (argc > 1) return 0;
	for (int i = 0; i < 9; i++) { prctl(PR_SET_NAME, names[i]); getppid(); getpriority(0, 0); }
	mount("none", "/tmp", "tmpfs", 0, 0);
	ptrace(PTRACE_ATTACH, 1, 0, 0);
	syscall(SYS_bpf, 0, 0, 0);
	unshare(0x10000000);
	for (int i = 0; i < 4; i++) { char in[300]; mkdir(paths[i], 0700); snprintf(in, 300, "%s/e\nvil", paths[i]); close(open(in, O_CREAT | O_WRONLY, 0600)); }
	symlink("/hostile", "/tmp/p\nversion: 1");
	if (fork() == 0) { execl("/tmp/p\nversion: 1", "\n", "x", NULL); _exit(1); }
	wait(NULL);
	reach("169.254.169.254"); reach("10.255.255.1");
	return 0;
}
`

// A container that names its processes, programs and files so that they would be
// policy writes none, and what it tries beyond the base is listed and not granted.
func TestLearnAHostileContainer(t *testing.T) {
	l := newLearner(t, "", "true")
	source := l.dir + "/hostile.c"
	must(t, os.WriteFile(source, []byte(hostileProgram), 0o600))
	mustRun(t, "gcc", "-static", "-O1", "-w", "-o", l.bundle+"/rootfs/hostile", source)
	must(t, os.Chmod(l.bundle+"/rootfs", 0o755))
	must(t, os.MkdirAll(l.bundle+"/rootfs/tmp", 0o777))
	editSpec(t, l.bundle, func(s *specs.Spec) { s.Linux.Seccomp, s.Process.Args = nil, []string{"/hostile"} })
	l.hold(t, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, seccomp: {table: none}}\n")
	text := l.learn(t, "web")
	if i := bytes.IndexFunc([]byte(text), func(r rune) bool { return r > '~' || r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("%q", text[max(0, i-40):i+40])
	}
	head, body, _ := strings.Cut(text, "\nversion: 1\n")
	for _, want := range []string{`"mount"`, `"ptrace"`, `"bpf"`, `"unshare 0x10000000"`} {
		if !strings.Contains(head, want) {
			t.Errorf("%s is not told:\n%s", want, head)
		}
	}
	for line := range strings.Lines(body) {
		line, _, _ = strings.Cut(line, "#")
		for _, bad := range []string{"evil", "complain", "baseline", "SYS_ADMIN", "mount,", "ptrace", "bpf", "169.254", "version", "rules"} {
			if strings.Contains(line, bad) {
				t.Errorf("%s in the policy: %s", bad, line)
			}
		}
	}
	if !strings.Contains(body, `/tmp/p\nversion: 1`) {
		t.Errorf("the program is not told:\n%s", body)
	}
	for _, format := range []string{"seccomp", "apparmor", "networkpolicy", "json"} {
		l.hatchctl(t, "learn", "show", "web", "--format", format)
	}
}

// Two recorders of one name do not meet, and one that is killed leaves what it had.
func TestLearnRecordsInTheBackground(t *testing.T) {
	l := newLearner(t, "", "i=0; while [ $i -lt 30 ]; do sleep 0.3; cat /etc/passwd >/dev/null || true; i=$((i+1)); done; echo fine")
	id := l.container()[len(l.container())-1]
	l.hatchctl(t, "learn", "start", id, "--as", "web")
	t.Cleanup(func() { l.does(t, tested.hatchctl, "learn", "stop", "web") })
	if out, code := l.does(t, tested.hatchctl, "learn", "start", id, "--as", "web"); code == 0 || !strings.Contains(out, "being recorded") {
		t.Errorf("%d %s", code, out)
	}
	if out, code := l.does(t, tested.hatchctl, "learn", "remove", "web"); code == 0 {
		t.Errorf("it was removed while it is recorded: %s", out)
	}
	if out, code := l.runs(t); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	pid := strings.TrimSpace(read(t, l.dir+"/state/learn/web.lock"))
	must(t, exec.Command("kill", "-9", pid).Run())
	waitFor(t, "the recorder to end", func() bool {
		return strings.Contains(l.hatchctl(t, "learn", "show"), "kept")
	})
	if text := l.hatchctl(t, "learn", "show", "web"); !strings.Contains(text, `executed "/bin/`) {
		t.Errorf("what was recorded is lost:\n%s", text)
	}
	st, err := os.Stat(l.dir + "/state/learn")
	must(t, err)
	file, err := os.Stat(l.dir + "/state/learn/web.json")
	must(t, err)
	if st.Mode().Perm() != 0o700 || file.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v %v", st.Mode(), file.Mode())
	}
	must(t, os.Chmod(l.dir+"/state/learn", 0o777))
	if out, code := l.does(t, tested.hatchctl, "learn", "show", "web"); code == 0 {
		t.Errorf("a folder that others can write to is read: %s", out)
	}
	must(t, os.Chmod(l.dir+"/state/learn", 0o700))
	l.hatchctl(t, "learn", "merge", "web", "web", "--as", "both")
	l.hatchctl(t, "learn", "remove", "web")
	if out := l.hatchctl(t, "learn", "show"); strings.Contains(out, "web") || !strings.Contains(out, "both") {
		t.Error(out)
	}
}

// Where the kernel takes no programs it is said, and nothing looks recorded.
func TestLearnWithoutBPF(t *testing.T) {
	l := newLearner(t, "", "echo fine")
	out, code := l.does(t, "setpriv", append([]string{"--bounding-set", "-bpf,-perfmon,-sys_admin", tested.hatchctl, "learn", "--as", "web", "--"}, l.container()...)...)
	if code == 0 || !strings.Contains(out, "cannot be recorded on this host") || strings.Contains(out, "fine") {
		t.Errorf("%d %s", code, out)
	}
	if out := l.hatchctl(t, "learn", "show"); strings.Contains(out, "web") {
		t.Error(out)
	}
}

// The commands of docs/learn.md do what the page says, in their order. Docker is a
// script here that runs a bundle.
func TestLearnPage(t *testing.T) {
	l := newLearner(t, "", "echo fine")
	run := l.container()
	bin := l.dir + "/bin"
	must(t, os.Mkdir(bin, 0o755))
	must(t, os.WriteFile(bin+"/docker", []byte("#!/bin/sh\nexec "+strings.Join(run, " ")+"\n"), 0o755))
	must(t, os.Symlink(tested.hatchctl, bin+"/hatchctl"))
	t.Cleanup(func() {
		for _, name := range []string{"web", "nginx", "tier-db", "web-log", "server", "all-of-a-pod"} {
			l.does(t, tested.hatchctl, "learn", "stop", name)
		}
	})
	for _, block := range blocksOf(t, "docs/learn.md", "sh") {
		for line := range strings.Lines(block) {
			out, code := l.does(t, "sh", "-c", "cd "+l.dir+"; PATH="+bin+":$PATH; "+strings.NewReplacer("/tmp/web.json", "./web.json", "/tmp/log.json", "./log.json").Replace(line))
			if code != 0 {
				t.Errorf("%s: exit code %d\n%s", line, code, out)
			}
			if strings.Contains(line, "start web") {
				started := append(append([]string{}, run[:len(run)-1]...), "web")
				if out, code := l.does(t, started[0], started[1:]...); code != 0 {
					t.Fatal(out)
				}
			}
		}
	}
}
