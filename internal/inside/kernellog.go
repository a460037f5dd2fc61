package inside

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Denial is a record of the kernel's audit of something that was denied.
type Denial struct {
	Time    time.Time
	Module  string // "seccomp", "apparmor" or "selinux"
	Pid     int
	UID     uint32 // of the host
	Command string // as the process calls itself: whatever it likes
	Call    int    // the number, of seccomp
	Foreign bool   // the number is of another architecture than the host's
	Code    uint32 // the filter's answer
	Profile string // of AppArmor; of SELinux the label of the process
	Action  string // of AppArmor: open, mount, capable; of SELinux: read open
	Name    string // the path, or the capability; of SELinux it may be its last part alone
	Denied  string // AppArmor's letters of what was denied
	Target  string // of SELinux, the label of what was asked for
	Class   string // of SELinux: file, dir, capability
}

// AuditLog is where an audit daemon writes. Of it the last part is read, in bytes.
const (
	AuditLog = "/var/log/audit/audit.log"
	maxAudit = 4 << 20
)

// Denials reads what the kernel logged of denials, the oldest first, and since
// when there are records of its audit: the zero time where there are none at all.
// The kernel writes them to its own log, where no audit daemon takes them and
// where it is told to (audit=1); a daemon, to a file.
func Denials() (all []Denial, since time.Time, err error) {
	log, err := kernelLog()
	if err != nil {
		return nil, since, err
	}
	boot, err := bootTime()
	if err != nil {
		return nil, since, err
	}
	all, since = parseLog(log, boot)
	kept := fromDaemon()
	if len(kept) > 0 && (since.IsZero() || kept[0].Time.Before(since)) {
		since = kept[0].Time
	}
	return append(all, kept...), since, nil
}

func bootTime() (time.Time, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, fmt.Errorf("the time since boot: %w", err)
	}
	return time.Now().Add(-time.Duration(up.Nano())), nil
}

func fromDaemon() []Denial {
	f, err := os.OpenFile(AuditLog, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil // no daemon
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	} else if info.Size() > maxAudit {
		if _, err := f.Seek(-maxAudit, io.SeekEnd); err != nil {
			return nil
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxAudit))
	if err != nil {
		return nil
	}
	var all []Denial
	for line := range strings.Lines(string(data)) {
		if d, ok := parseDenial(line); ok {
			all = append(all, d)
		}
	}
	return all
}

// The types of records (kernel, uapi/linux/audit.h).
var kinds = map[string]string{"type=1326": "seccomp", "type=SECCOMP": "seccomp", "type=1400": "apparmor", "type=AVC": "apparmor"}

var when = regexp.MustCompile(`audit\((\d+)\.(\d+):\d+\)`)

// parseDenial reads NAME=VALUE words. A value that a process chose itself is in
// quotes, or in hex where it holds a character that could end the quotes: so no
// process can write a record of its own.
func parseDenial(line string) (Denial, bool) {
	kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	d := Denial{Module: kinds[kind]}
	if d.Module == "" {
		return d, false
	}
	if m := when.FindStringSubmatch(rest); m != nil {
		seconds, _ := strconv.ParseInt(m[1], 10, 64)
		milli, _ := strconv.ParseInt(m[2], 10, 64)
		d.Time = time.Unix(seconds, milli*int64(time.Millisecond))
	}
	words := fields(rest)
	if m := vector.FindStringSubmatch(rest); m != nil && d.Module == "apparmor" {
		return d.selinux(m[1], words)
	}
	if d.Module == "apparmor" && words["apparmor"] != "DENIED" {
		return d, false
	}
	var err error
	if d.Pid, err = strconv.Atoi(words["pid"]); err != nil {
		return d, false
	}
	d.Command, d.Profile, d.Action, d.Name, d.Denied = words["comm"], words["profile"], words["operation"], words["name"], words["denied_mask"]
	if d.Name == "" {
		d.Name = words["capname"]
	}
	if d.Module == "seccomp" {
		uid, uerr := strconv.ParseUint(words["uid"], 10, 32)
		code, cerr := strconv.ParseUint(strings.TrimPrefix(words["code"], "0x"), 16, 32)
		call, nerr := strconv.Atoi(words["syscall"])
		if uerr != nil || cerr != nil || nerr != nil {
			return d, false
		}
		d.UID, d.Code, d.Call = uint32(uid), uint32(code), call
		d.Foreign = words["arch"] != "" && words["arch"] != nativeArch()
		return d, !allows(d.Code)
	}
	fsuid, err := strconv.ParseUint(words["fsuid"], 10, 32)
	if err != nil {
		fsuid = uint64(nobody)
	}
	d.UID = uint32(fsuid)
	return d, true
}

// nativeArch is the host's architecture as the audit writes it (uapi/linux/audit.h,
// AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64).
func nativeArch() string {
	if runtime.GOARCH == "arm64" {
		return "c00000b7"
	}
	return "c000003e"
}

// nobody is an id that no container has.
const nobody = ^uint32(0)

// allows is true for SECCOMP_RET_LOG and SECCOMP_RET_ALLOW (uapi/linux/seccomp.h).
func allows(code uint32) bool { return code&0xffff0000 >= 0x7ffc0000 && code&0x80000000 == 0 }

var field = regexp.MustCompile(`(\w+)=("[^"]*"|\S+)`)

func fields(text string) map[string]string {
	all := map[string]string{}
	for _, m := range field.FindAllStringSubmatch(text, -1) {
		if _, there := all[m[1]]; there {
			continue
		}
		value, quoted := strings.CutPrefix(m[2], `"`)
		if quoted {
			value = strings.TrimSuffix(value, `"`)
		} else if raw, err := hex.DecodeString(value); err == nil && (m[1] == "comm" || m[1] == "name" || m[1] == "path" || m[1] == "profile") {
			value = string(raw)
		}
		all[m[1]] = value
	}
	return all
}
