package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// Exit codes of what is not the command's own (timeout(1), env(1), sh(1)).
const (
	CodeOutput   = 121 // it printed more than --output
	CodeMemory   = 122 // killed for lack of memory
	CodeTime     = 124 // --time was over
	CodeFailed   = 125 // the box was not made, or not held
	CodeNotRun   = 126 // the command was found and could not be started
	CodeNotFound = 127
)

// lineFd is our end of the line to who started the box, which ends with them.
const lineFd = 3

// order is what the first process is told when the box is ready. It is in no
// spec, no record and no log.
type order struct {
	Secrets map[string][]byte `json:"secrets,omitempty"`
	Data    uint64            `json:"data,omitempty"` // bytes of each process (RLIMIT_DATA)
}

// Inside is the first process of a box: it starts the command, hands signals on,
// collects what the command leaves behind, and ends with the command or with who
// started the box. All that is left is killed by the kernel then. It returns the
// exit code.
func Inside(args []string) int {
	// Nobody in the box, who has the same user, may look into this process.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return failed(CodeFailed, "prctl: %v", err)
	}
	unix.CloseOnExec(lineFd)
	line := os.NewFile(lineFd, "line")
	var o order
	if err := json.NewDecoder(line).Decode(&o); err != nil {
		return failed(CodeFailed, "the box was not made ready: %v", err)
	}
	for name, value := range o.Secrets {
		if err := os.WriteFile(filepath.Join(sandbox.Secrets, filepath.Base(name)), value, 0o400); err != nil {
			return failed(CodeFailed, "a secret: %v", err)
		}
	}
	o.Secrets = nil
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, crashes...)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGCONT, unix.SIGCHLD, unix.SIGPIPE, unix.SIGTTOU, unix.SIGTTIN)
	enoughThreads()
	if o.Data > 0 {
		if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: o.Data, Max: o.Data}); err != nil {
			return failed(CodeFailed, "setrlimit: %v", err)
		}
	}
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, line)
		close(over)
	}()
	pid, code := begin(args)
	if pid == 0 {
		return code
	}
	for {
		select {
		case <-over:
			return CodeFailed // nobody is there to hear of it
		case s := <-signals:
			if code, done := hear(s, pid); done {
				return code
			}
		}
	}
}

func failed(code int, format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "hatchctl: "+format+"\n", args...)
	return code
}

// enoughThreads makes the threads that the Go runtime may want later, when the
// command has used up all processes that the box may have.
func enoughThreads() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(64 << 20)
	runtime.GOMAXPROCS(2)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ts := unix.NsecToTimespec(int64(2 * time.Millisecond))
			_ = unix.Nanosleep(&ts, nil)
		})
	}
	all.Wait()
}

const notRun = "%q may not be run: it is not executable, or lies where it can be written to (then give --exec, or name what runs it: sh, python3)"

func begin(args []string) (pid, code int) {
	if len(args) == 0 {
		return 0, failed(CodeFailed, "no command")
	}
	path, err := exec.LookPath(args[0])
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return 0, failed(CodeNotFound, "%q is not found in the box, which sees the host's system directories and what was granted (--ro, --rw)", args[0])
	case errors.Is(err, fs.ErrPermission):
		return 0, failed(CodeNotRun, notRun, args[0])
	case err != nil:
		return 0, failed(CodeNotRun, "%q: %v", args[0], err)
	}
	attr := &syscall.SysProcAttr{Setsid: true}
	if _, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
		// The terminal's session is this process's: the command is its foreground.
		attr = &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0}
	}
	pid, err = syscall.ForkExec(path, args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: attr})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, failed(CodeNotFound, "%q: what it is to be run with (its first line, or its loader) is not in the box", args[0])
	case errors.Is(err, fs.ErrPermission):
		return 0, failed(CodeNotRun, notRun, args[0])
	case err != nil:
		return 0, failed(CodeNotRun, "%q: %v", args[0], err)
	}
	return pid, 0
}

// crashes are signals at which the Go runtime ends a program, whoever sends them:
// here, somebody in the box.
var crashes = []os.Signal{unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSTKFLT, unix.SIGSYS}

// hear hands a signal on. A signal of the terminal's to the processes in the
// foreground goes to all of them.
func hear(s os.Signal, pid int) (code int, done bool) {
	sig, ok := s.(syscall.Signal)
	switch {
	case !ok || sig == unix.SIGPIPE || sig == unix.SIGTTOU || sig == unix.SIGTTIN || slices.Contains(crashes, s):
	case sig == unix.SIGCHLD:
		return collect(pid)
	case sig == unix.SIGINT || sig == unix.SIGQUIT || sig == unix.SIGCONT:
		_ = unix.Kill(-pid, sig)
	default:
		_ = unix.Kill(pid, sig)
	}
	return 0, false
}

func collect(pid int) (code int, done bool) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WUNTRACED, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || got <= 0 {
			return 0, false
		}
		if got != pid {
			continue
		}
		if status.Stopped() {
			_ = unix.Kill(-pid, unix.SIGCONT) // no shell of the box would wake it
			continue
		}
		if status.Signaled() {
			return 128 + int(status.Signal()), true
		}
		return status.ExitStatus(), true
	}
}
