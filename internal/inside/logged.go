package inside

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Logged is a record of the kernel's audit of a call that a filter let pass and had
// logged.
type Logged struct {
	Pid     int    // of the host
	UID     uint32 // of the host
	Command string // as the process calls itself: whatever it likes
	Program string // the path of its program, as the process sees it
	Call    int    // the number
	Foreign bool   // the number is of another architecture than the host's
}

// ErrNotLogged means that the kernel logs no such calls.
var ErrNotLogged = errors.New("the kernel logs no calls that filters let pass: seccomp.actions_logged (sysctl) lacks log")

// actionsLogged is what the kernel logs at all (kernel,
// userspace-api/seccomp_filter, Sysctls).
const actionsLogged = "/proc/sys/kernel/seccomp/actions_logged"

// receiveBuffer is for some 60,000 records that wait, in bytes.
const receiveBuffer = 32 << 20

// FollowLogged calls f with each call that a filter has the kernel log, until the
// context is done, and lost when the kernel dropped some before we read them. ready
// is called when it listens. It needs CAP_AUDIT_READ in the host's namespaces.
func FollowLogged(ctx context.Context, ready func(), f func(Logged), lost func()) error {
	told, err := os.ReadFile(actionsLogged)
	if err != nil {
		return fmt.Errorf("seccomp's log: %w", err)
	}
	if !strings.Contains(" "+strings.TrimSpace(string(told))+" ", " log ") {
		return ErrNotLogged
	}
	c, err := netlink.Dial(unix.NETLINK_AUDIT, &netlink.Config{Groups: readLog})
	if err != nil {
		return fmt.Errorf("the kernel's audit: %w", err)
	}
	defer func() { _ = c.Close() }()
	if raw, err := c.SyscallConn(); err == nil { // beyond the limit, as root may
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) })
	}
	ready()
	for ctx.Err() == nil {
		const step = 100 * time.Millisecond
		if err := c.SetReadDeadline(time.Now().Add(step)); err != nil {
			return fmt.Errorf("the kernel's audit: %w", err)
		}
		all, err := c.Receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case errors.Is(err, unix.ENOBUFS):
			lost()
			continue
		case err != nil:
			return fmt.Errorf("the kernel's audit: %w", err)
		}
		for _, m := range all {
			const record = 1326 // AUDIT_SECCOMP
			if m.Header.Type != record {
				continue
			}
			if l, ok := parseLogged(string(m.Data)); ok {
				f(l)
			}
		}
	}
	return nil
}

// LostRecords is how many records the kernel's audit has lost since boot: for lack of
// room, or by its limit of rate. It is 0 where that is not told (no
// CAP_AUDIT_CONTROL).
func LostRecords() uint32 {
	const get, lostAt = 1000, 24 // AUDIT_GET; audit_status.lost (uapi/linux/audit.h)
	c, err := netlink.Dial(unix.NETLINK_AUDIT, nil)
	if err != nil {
		return 0
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0
	}
	all, err := c.Execute(netlink.Message{Header: netlink.Header{Type: get, Flags: netlink.Request}})
	if err != nil || len(all) == 0 || all[0].Header.Type != get || len(all[0].Data) < lostAt+4 {
		return 0
	}
	return binary.NativeEndian.Uint32(all[0].Data[lostAt:])
}

// parseLogged reads the words of a record. The kernel writes a value that a process
// chose in quotes, or in hex where it holds a blank, a quote or what is not ASCII: so
// a blank ends a value, and the first word of a name is the kernel's.
func parseLogged(text string) (Logged, bool) {
	var l Logged
	have := map[string]bool{}
	for word := range strings.SplitSeq(text, " ") {
		name, value, ok := strings.Cut(word, "=")
		if !ok || have[name] {
			continue
		}
		have[name] = true
		switch name {
		case "pid":
			l.Pid, _ = strconv.Atoi(value)
		case "uid":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return l, false
			}
			l.UID = uint32(n)
		case "comm":
			l.Command = untrusted(value)
		case "exe":
			l.Program = untrusted(value)
		case "arch":
			l.Foreign = value != nativeArch()
		case "syscall":
			n, err := strconv.Atoi(value)
			if err != nil {
				return l, false
			}
			l.Call = n
		case "code":
			const letPass = 0x7ffc0000 // SECCOMP_RET_LOG
			code, err := strconv.ParseUint(strings.TrimPrefix(value, "0x"), 16, 32)
			return l, err == nil && code&^0xffff == letPass && l.Pid > 0 && have["uid"] && have["syscall"] && have["arch"]
		}
	}
	return l, false
}

// untrusted is a value as audit_log_untrustedstring of the kernel wrote it.
func untrusted(value string) string {
	if quoted, ok := strings.CutPrefix(value, `"`); ok {
		return strings.TrimSuffix(quoted, `"`)
	}
	raw, err := hex.DecodeString(value)
	if err != nil {
		return "" // (null), and what is none of it
	}
	return string(raw)
}
