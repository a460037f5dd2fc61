// Package enter makes an ordinary user the root of a user namespace, in which this
// program runs again with the same arguments.
//
// Guarantees: the namespace has the user's own ids and, where newuidmap and
// newgidmap give them, the subordinate ones, and no other of the host; the program
// in it has none of the user's supplementary groups where the kernel lets them be
// dropped; it ends with this process, whatever ends that; no id of it is root's on
// the host.
// Does not cover: subordinate ids that a name service hands out instead of
// /etc/subuid and /etc/subgid.
// Requires: user namespaces for ordinary users (user_namespaces(7)).
// Spec fields touched: none.
package enter

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Verb is the command of our own program that comes before the arguments in the
// user namespace.
const Verb = "in-a-user-namespace"

// Messages on that line.
const (
	withGroups = 'g' // its groups cannot be dropped
	without    = '0'
)

// ErrRefused means that this host lets us make no user namespace.
var ErrRefused = errors.New("this host gives ordinary users no user namespace: 'hatchctl doctor --sandbox' says what to do; or 'sudo hatchctl run', which runs the command as you")

// Again runs this program with args in a user namespace, and returns its exit code.
func Again(args []string) (int, error) {
	// The kernel ends the program with the thread that started it (prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	told, tell, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer tell.Close()
	// By its number, as what the caller may have opened at any other.
	if _, err := unix.FcntlInt(told.Fd(), unix.F_SETFD, 0); err != nil {
		return 0, err
	}
	cmd := exec.Command("/proc/self/exe", append([]string{Verb, strconv.Itoa(int(told.Fd()))}, args...)...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// Ambient: it has no id there when it is started, and would lose all.
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, AmbientCaps: all(), Pdeathsig: syscall.SIGKILL,
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	err = cmd.Start()
	told.Close()
	if err != nil {
		return 0, fmt.Errorf("%w (%w)", ErrRefused, err)
	}
	message, err := mapIDs(cmd.Process.Pid)
	if err == nil {
		_, err = tell.Write([]byte{message})
	}
	if err != nil {
		return 0, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				_ = cmd.Process.Signal(s)
			}
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, err
			}
			return code(cmd.ProcessState), nil
		}
	}
}

func code(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

// fromTerminal reports whether a signal went to the program in the user namespace
// as well: a terminal sends its own to all in its foreground.
func fromTerminal(s os.Signal) bool {
	if s != unix.SIGINT && s != unix.SIGQUIT {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// all are the capabilities that a process in a new user namespace has there.
func all() []uintptr {
	var caps []uintptr
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if v, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err == nil && v == 1 {
			caps = append(caps, c)
		}
	}
	return caps
}

// Entered is called in the user namespace, before anything else, with the word
// behind Verb. It waits until the ids are there.
func Entered(told string) error {
	fd, err := strconv.Atoi(told)
	if err != nil {
		return err
	}
	line := os.NewFile(uintptr(fd), "line")
	defer line.Close()
	// The change of ids took away the signal that was set before.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	message := make([]byte, 1)
	if n, err := line.Read(message); n != 1 {
		return fmt.Errorf("who started it is gone: %w", err)
	}
	if message[0] == without {
		if err := syscall.Setgroups([]int{}); err != nil {
			return fmt.Errorf("setgroups: %w", err)
		}
	}
	if err := errors.Join(syscall.Setresgid(0, 0, 0), syscall.Setresuid(0, 0, 0)); err != nil {
		return fmt.Errorf("the ids of the user namespace: %w", err)
	}
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("prctl: %w", errno)
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	// It is a program of the user's own: as before, /proc/self is its.
	return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
}
