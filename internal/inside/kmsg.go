package inside

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The bounds of what is read of the kernel's log: the longest record, with its
// head (kernel, PRINTK_MESSAGE_MAX and DEVKMSG), and twice the largest log
// (CONFIG_LOG_BUF_SHIFT), in bytes.
const (
	maxRecord = 16 << 10
	maxLog    = 64 << 20
)

// kernelLog reads the kernel's log, a line for each record (kernel,
// ABI/testing/dev-kmsg). syslog(2) would begin a line of its own for each line
// break in a record: there whoever may write a record of the audit (CAP_AUDIT_WRITE)
// could write others that look as the kernel's own do.
func kernelLog() ([]byte, error) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("the kernel's log: %w", err)
	}
	defer unix.Close(fd)
	var all []byte
	buf := make([]byte, maxRecord)
	for read := 0; read < maxLog; {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EPIPE): // it was overwritten meanwhile: the next one follows
			read += maxRecord
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN), n == 0 && err == nil:
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("the kernel's log: %w", err)
		default:
			read += n
			line, _, _ := bytes.Cut(buf[:n], []byte("\n")) // what follows are properties
			if bytes.Contains(line, []byte(auditMark)) {
				all = append(append(all, line...), '\n')
			}
		}
	}
	return all, nil
}

const auditMark = ";audit: type="

// parseLog reads records of the kernel's log. Lines that a process
// wrote into it are of another facility than the kernel's.
func parseLog(log []byte, boot time.Time) (all []Denial, since time.Time) {
	for line := range bytes.Lines(log) {
		head, text, ok := strings.Cut(string(line), ";")
		words := strings.Split(head, ",")
		if !ok || len(words) < 3 || !strings.HasPrefix(text, auditMark[1:]) {
			continue
		}
		priority, err := strconv.ParseUint(words[0], 10, 32)
		micro, terr := strconv.ParseInt(words[2], 10, 64)
		const levels = 8 // of each facility; the kernel's is 0
		if err != nil || terr != nil || priority >= levels {
			continue
		}
		if since.IsZero() {
			since = boot.Add(time.Duration(micro) * time.Microsecond)
		}
		if d, ok := parseDenial(strings.TrimPrefix(text, "audit: ")); ok {
			all = append(all, d)
		}
	}
	return all, since
}
