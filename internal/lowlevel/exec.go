package lowlevel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exec becomes the low-level runtime. It returns only when it cannot.
func Exec(path string, argv, environ []string) error {
	args := append([]string{path}, argv[min(1, len(argv)):]...)
	return fmt.Errorf("low-level runtime %s: %w", path, unix.Exec(path, args, environ))
}

// Run runs the low-level runtime and returns its exit code. Signals to us are
// passed on.
func Run(path string, argv, environ []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	cmd := exec.Command(path, argv[min(1, len(argv)):]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, stdin, stdout, stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("low-level runtime: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s) // it may be gone already
		case err := <-done:
			return exitCode(err)
		}
	}
}

func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// Report appends one error to the log that the engine reads, as runc writes it
// (logrus): a JSON line where format is "json", key=value otherwise. It does
// not wait for a reader.
func Report(log, format, msg string, now time.Time) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(entry(format, msg, now))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
