package lowlevel

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Exec becomes the low-level runtime, with the environment that Environ makes. It
// returns only when it cannot.
func Exec(path string, argv, environ []string) error {
	args := append([]string{path}, argv[min(1, len(argv)):]...)
	return fmt.Errorf("low-level runtime %s: %w", path, unix.Exec(path, args, Environ(path, environ)))
}

// Environ is the environment for the low-level runtime at path. runc and its own
// processes get GOMAXPROCS=1, if the caller has not set it: they do one thing
// after the other, and the threads for more cost them processor time and memory.
// runc gives a container nothing of its environment; a hook has it
// that has no environment of its own in the spec.
func Environ(path string, environ []string) []string {
	const name = "GOMAXPROCS="
	if strings.HasPrefix(filepath.Base(path), "crun") || slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, name) }) {
		return environ
	}
	return append(slices.Clone(environ), name+"1")
}

// Report appends one error to the log that the engine reads, as runc writes it
// (logrus): a JSON line where format is "json", key=value otherwise. It does
// not wait for a reader.
func Report(log, format, msg string, now time.Time) error {
	return tell(log, entry(format, "error", msg, now), 0)
}

// Warn appends a warning, where the log is a regular file: anything else may be
// a stream of the container's.
func Warn(log, format, msg string, now time.Time) error {
	return tell(log, entry(format, "warning", msg, now), unix.S_IFREG)
}

// tell appends a line to log, whose kind of file has to be the one given; 0 is
// any.
func tell(log, text string, kind uint32) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err = unix.Fstat(int(f.Fd()), &st); err == nil && (kind == 0 || st.Mode&unix.S_IFMT == kind) {
		_, err = f.WriteString(text)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
