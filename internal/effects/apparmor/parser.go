package apparmor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// FindParser is where apparmor_parser is: where distributions put it, or on
// PATH.
func FindParser(getenv func(string) string) (string, error) {
	dirs := []string{"/usr/sbin", "/sbin", "/usr/local/sbin"}
	dirs = append(dirs, filepath.SplitList(getenv("PATH"))...)
	for _, dir := range dirs {
		path := filepath.Join(dir, "apparmor_parser")
		if info, err := os.Stat(path); err == nil && filepath.IsAbs(dir) && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", ErrNoParser
}

// parse hands text to the parser.
func (l Loader) parse(text string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), l.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.Parser, args...)
	cmd.Stdin = strings.NewReader(text)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	var errs bytes.Buffer
	cmd.Stderr = &errs
	// It and whatever it starts are ended together.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end within %s: %w", l.Parser, l.Timeout, ctx.Err())
	}
	return fmt.Errorf("%s: %w: %s", l.Parser, err, excerpt(errs.String()))
}

// excerpt is the parser's message, as long as it helps.
func excerpt(text string) string {
	const most = 300
	line := strings.Join(strings.Fields(text), " ")
	if len(line) > most {
		line = line[:most] + "..."
	}
	if line == "" {
		return "it gave no reason"
	}
	return line
}

// lock waits for other loads. The lock goes with the process that holds it.
func (l Loader) lock() (func(), error) {
	if err := os.MkdirAll(filepath.Dir(l.Lock), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(l.Lock, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	const pause = 5 * time.Millisecond
	for end := time.Now().Add(l.Timeout); ; time.Sleep(pause) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = ErrLocked
			}
			return nil, fmt.Errorf("%s: %w", l.Lock, err)
		}
	}
}
