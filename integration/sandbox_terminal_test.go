package integration

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/console"
)

// terminal is a pseudo-terminal of the test's, with a program as the leader of its
// session: what a person has in front of them.
type terminal struct {
	t      *testing.T
	master console.Console
	cmd    *exec.Cmd
	said   chan string
	all    string
}

func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, path, err := console.NewPty()
	must(t, err)
	must(t, master.Resize(console.WinSize{Height: 33, Width: 101}))
	slave, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	slave.Close()
	term := &terminal{t: t, master: master, cmd: cmd, said: make(chan string, 100)}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if n > 0 {
				term.said <- string(buf[:n])
			}
			if err != nil {
				close(term.said)
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = master.Close()
	})
	return term
}

// wait waits until a pattern is on the screen.
func (term *terminal) wait(pattern string) []string {
	term.t.Helper()
	re, late := regexp.MustCompile(pattern), time.After(30*time.Second)
	for {
		if found := re.FindStringSubmatch(term.all); found != nil {
			return found
		}
		select {
		case more, ok := <-term.said:
			if term.all += more; !ok && !re.MatchString(term.all) {
				term.t.Fatalf("it ended without %q:\n%s", pattern, term.all)
			}
		case <-late:
			term.t.Fatalf("no %q in\n%s", pattern, term.all)
		}
	}
}

func (term *terminal) write(text string) {
	term.t.Helper()
	_, err := term.master.Write([]byte(text))
	must(term.t, err)
}

func (term *terminal) ended() int {
	term.t.Helper()
	done := make(chan struct{})
	go func() { _ = term.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		term.t.Fatalf("it does not end:\n%s", term.all)
	}
	return term.cmd.ProcessState.ExitCode()
}

// push puts letters into the terminal's input, as if somebody had typed them
// (TIOCSTI of ioctl_tty(2)): into the box's, if any, and never into the caller's.
const push = `import fcntl, sys, termios
for fd in (0, 1, 2):
    for c in "touch INJECTED\n":
        try: fcntl.ioctl(fd, termios.TIOCSTI, c)
        except OSError: pass
print("pushed")
`

func boxOnTerminal(t *testing.T, b *boxed, args ...string) *terminal {
	t.Helper()
	cmd, _, _ := b.command(t, args...)
	return onTerminal(t, cmd)
}

// A command on a terminal has one of its own: it is the foreground there, follows
// the caller's size, and what is typed reaches it.
func TestBoxHasATerminalOfItsOwn(t *testing.T) {
	b := newBoxed(t)
	term := boxOnTerminal(t, b, "--", "sh", "-c", `tty; stty size; trap 'stty size; echo resized' WINCH; trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.1; done`)
	term.wait(`/dev/pts/0[\r\n]+33 101[\r\n]+`)
	term.wait("ready")
	must(t, term.master.Resize(console.WinSize{Height: 40, Width: 120}))
	term.wait(`40 120[\r\n]+resized`)
	term.write("\x03") // control-C
	term.wait("interrupted")
	if code := term.ended(); code != 9 {
		t.Errorf("exit code %d", code)
	}
	term = boxOnTerminal(t, b, "--", "sh", "-c", `read line; echo "got $line"; stty -echo; read secret; echo "${#secret} letters"; cat; echo end`)
	term.write("typed\r")
	term.wait("got typed")
	time.Sleep(300 * time.Millisecond) // stty
	term.write("hidden\r")
	term.wait("6 letters")
	term.write("\x04") // the end of the input
	term.wait("end")
	if code := term.ended(); code != 0 || strings.Contains(term.all, "hidden") {
		t.Errorf("exit code %d\n%s", code, term.all)
	}
}

// The caller's terminal is as it was, whatever ended the command, and nothing that
// the command does types into it.
func TestBoxTypesNothingIntoItsCallersTerminal(t *testing.T) {
	b := newBoxed(t)
	must(t, os.WriteFile(b.dir+"/push.py", []byte(push), 0o644))
	shell := exec.Command("sh", "-ic", `stty -a >before; "$@" --rw . -- python3 push.py; "$@" -- sh -c 'stty raw -echo; kill -9 $$'; "$@" --time 1s -- sleep 100; stty -a >after; echo still here; while read -r line; do echo "line: $line"; eval "$line"; done`,
		"sh", tested.hatchctl, "run", boxDir())
	shell.Dir = b.dir
	cmd, _, _ := b.command(t)
	shell.Env = cmd.Env
	term := onTerminal(t, shell)
	term.wait("pushed")
	term.wait("still here")
	term.write("exit 4\r")
	if code := term.ended(); code != 4 {
		t.Errorf("exit code %d\n%s", code, term.all)
	}
	if before, after := read(t, b.dir+"/before"), read(t, b.dir+"/after"); before != after || !strings.Contains(before, "icanon") {
		t.Errorf("the terminal was\n%s\nand is\n%s", before, after)
	}
	if _, err := os.Stat(b.dir + "/INJECTED"); err == nil || strings.Contains(term.all, "line: touch") {
		t.Errorf("something was typed:\n%s", term.all)
	}
}

// As an ordinary user as well: the terminal's signals come once, whether the box has
// a terminal or not.
func TestBoxOfAnOrdinaryUserOnATerminal(t *testing.T) {
	o := newOrdinary(t, true)
	must(t, os.WriteFile(o.dir+"/home/work/count.py", []byte(`import os, signal, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print(os.ttyname(0) if os.isatty(0) else "not a tty", "ready", flush=True)
while not heard: time.sleep(0.1)
time.sleep(0.7)
print("interrupted", len(heard), "times")
`), 0o644))
	const count = "python3 count.py"
	for script, want := range map[string]string{
		`hatchctl run -- ` + count: `/dev/pts/0 ready`,
		`(hatchctl run -- ` + count + `; echo code $?) | (trap "" INT; cat)`: `not a tty ready`,
	} {
		cmd, _, _ := o.command("trap : INT; " + script + "; true")
		term := onTerminal(t, cmd)
		term.wait(want)
		term.write("\x03")
		term.wait("interrupted 1 times")
		term.ended()
		must(t, os.RemoveAll(o.dir+"/net"))
	}
}
