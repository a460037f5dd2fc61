package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hatchdog/hatchdog/internal/inside"
)

// A process that waits for a file system that a program serves cannot be ended
// where the program does not answer, by no signal (kernel, fs/fuse/dev.c,
// request_wait_answer). So the question is asked by a second process there, which
// tells its exit code before it ends, and is left behind if it does not.

// apartEnv holds the descriptor on which the second process tells its exit code.
const apartEnv = "HATCHCTL_ANSWER_FD"

// isApart is true in the second process.
func isApart() bool { return os.Getenv(apartEnv) != "" }

// served is true where the container has a file system that a program or another
// host serves.
func (s *subject) served() bool {
	return s.c.Process != nil && inside.Served(s.init)
}

// tellApart tells the exit code to whoever waits for it.
func tellApart(code int) {
	fd, err := strconv.Atoi(os.Getenv(apartEnv))
	if err == nil && fd > 2 {
		_, _ = syscall.Write(fd, []byte{byte(code)}) //nolint:gosec // an exit code
	}
}

// askApart runs the same command line in a process of its own, and hands on what
// it prints and its exit code.
func askApart(stdout, stderr io.Writer) error {
	answer, tells, err := os.Pipe()
	if err != nil {
		return err
	}
	defer answer.Close()
	const firstExtra = 3
	c := exec.Command("/proc/self/exe")
	c.Args, c.Env = os.Args, append(os.Environ(), apartEnv+"="+strconv.Itoa(firstExtra))
	c.ExtraFiles = []*os.File{tells}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var copies sync.WaitGroup
	var pipes []*os.File
	for _, to := range []struct {
		set *io.Writer
		w   io.Writer
	}{{&c.Stdout, stdout}, {&c.Stderr, stderr}} {
		from, into, err := os.Pipe()
		if err != nil {
			return err
		}
		defer from.Close()
		defer into.Close()
		*to.set = into
		pipes = append(pipes, from)
		copies.Go(func() { _, _ = io.Copy(to.w, from) })
	}
	runtime.LockOSThread() // the signal comes when this thread ends
	defer runtime.UnlockOSThread()
	if err := c.Start(); err != nil {
		return err
	}
	for _, f := range []*os.File{tells, c.Stdout.(*os.File), c.Stderr.(*os.File)} { //nolint:forcetypeassert // set above
		_ = f.Close()
	}
	const longest = 2 * time.Minute
	var code [1]byte
	err = answer.SetReadDeadline(time.Now().Add(longest))
	if err == nil {
		_, err = answer.Read(code[:])
	}
	// The pipes hold what was printed; their other end may stay open.
	const rest = 200 * time.Millisecond
	for _, f := range pipes {
		err = errors.Join(err, f.SetReadDeadline(time.Now().Add(rest)))
	}
	copies.Wait()
	if err != nil {
		return fmt.Errorf("a file system of the container, or of what is mounted in it, does not answer: %w", err)
	}
	return exitError(code[0])
}
