package lowlevel

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Streams are the standard input, output and error of the low-level runtime. nil
// is /dev/null.
type Streams [3]*os.File

// Run runs the low-level runtime and returns its exit code. Signals to us are
// passed on.
//
// It starts the process by itself: os/exec first tries what the kernel can, with a
// process made for it alone.
func Run(path string, argv, environ []string, streams Streams) (int, error) {
	files, done, err := streams.files()
	if err != nil {
		return 0, fmt.Errorf("low-level runtime: %w", err)
	}
	defer done()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT)
	defer signal.Stop(signals)
	args := append([]string{path}, argv[min(1, len(argv)):]...)
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Env: Environ(path, environ), Files: files})
	if err != nil {
		return 0, fmt.Errorf("low-level runtime %s: %w", path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- waitFor(pid) }()
	for {
		select {
		case s := <-signals:
			if number, ok := s.(syscall.Signal); ok {
				_ = syscall.Kill(pid, number) // it is not reaped yet, so the number is its own
			}
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("low-level runtime: %w", err)
			}
			return reap(pid)
		}
	}
}

// files are the descriptors of the streams. done closes what was opened for them.
func (s Streams) files() (files []uintptr, done func(), err error) {
	var null *os.File
	done = func() {
		if null != nil {
			_ = null.Close()
		}
	}
	for _, f := range s {
		if f == nil && null == nil {
			if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return nil, nil, err
			}
		}
		if f == nil {
			f = null
		}
		files = append(files, f.Fd())
	}
	return files, done, nil
}

// waitFor waits for the end of a child, and leaves it to be reaped.
func waitFor(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// reap returns the exit code of a child that ended, as a shell tells it.
func reap(pid int) (int, error) {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("low-level runtime: %w", err)
		}
		if status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return status.ExitStatus(), nil
	}
}
