// Command curious tries what a program in a container is not meant to do and
// prints how far it got. It changes nothing that it is let at.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Finding is one thing that was tried.
type Finding struct{ What, Result string }

func main() {
	if len(os.Args) > 1 && os.Args[1] == "euid" {
		fmt.Println(os.Geteuid())
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "lsm" {
		lsm()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "sleep" {
		select {}
	}
	_ = json.NewEncoder(os.Stdout).Encode([]Finding{
		{"root inside is, on the host", outside()},
		{"the cloud's metadata, 169.254.169.254", metadata()},
		{"capabilities", capabilities()},
		{"capabilities it could regain", status("CapBnd")},
		{"setuid root program, run as uid 1000", setuid()},
		{"kernel settings it can write", writable("/proc/sys/kernel/panic", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/sys/kernel/mm/ksm/run", "/sys/fs/cgroup/cgroup.procs")},
		{"what it learns of the host", readable("/proc/kallsyms", "/proc/interrupts", "/proc/keys", "/proc/timer_list", "/proc/kpagecount", "/sys/kernel/tracing", "/sys/firmware", "/sys/kernel/security")},
		{"make a device node", device()},
		{"raw network packets", raw()},
		{"mount a file system", try(func() error { return unix.Mount("t", "/tmp", "tmpfs", 0, "") })},
		{"chroot", try(func() error { return unix.Chroot("/") })},
		{"namespaces it shares with the host", namespaces()},
		{"processes it may start", limit("pids", "pids.max")},
		{"core dumps, which may hold secrets", core()},
	})
}

// outside is what the host's kernel takes our root for (user_namespaces(7)).
func outside() string {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err.Error()
	}
	const accounts = 65536 // no host gives its users higher ids
	fields := strings.Fields(string(data))
	if len(fields) < 2 || fields[0] != "0" {
		return "?"
	}
	switch id, err := strconv.ParseUint(fields[1], 10, 32); {
	case err != nil:
		return err.Error()
	case id == 0:
		return "root"
	case id >= accounts:
		return "nobody: an id that no account has"
	}
	return "uid " + fields[1]
}

// metadata asks for what clouds tell any program on a machine.
func metadata() string {
	c, err := net.DialTimeout("tcp4", "169.254.169.254:80", time.Second)
	if err != nil {
		return "out of reach"
	}
	defer func() { _ = c.Close() }()
	answer := make([]byte, 64)
	n, err := c.Read(answer)
	if err != nil {
		return "reached"
	}
	return "reached: " + strings.TrimSpace(string(answer[:n]))
}

func status(key string) string {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return count(strings.TrimSpace(rest))
		}
	}
	return "?"
}

func count(hex string) string {
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return hex
	}
	n := 0
	for ; mask != 0; mask &= mask - 1 {
		n++
	}
	if n == 0 {
		return "none"
	}
	return strconv.Itoa(n)
}

// capNames are the bits of capability.h.
var capNames = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)

func capabilities() string {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	_, rest, _ := strings.Cut(string(data), "CapEff:\t")
	hex, _, _ := strings.Cut(rest, "\n")
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return "?"
	}
	var names []string
	for i, n := range capNames {
		if mask&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return fmt.Sprintf("%d: %s", len(names), strings.Join(names, " "))
}

func setuid() string {
	cmd := exec.Command("/suid/curious", "euid")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	out, err := cmd.Output()
	switch {
	case err != nil:
		return "could not be run: " + err.Error()
	case strings.TrimSpace(string(out)) == "0":
		return "becomes root"
	}
	return "stays uid " + strings.TrimSpace(string(out))
}

func writable(paths ...string) string {
	var open []string
	for _, p := range paths {
		fd, err := unix.Open(p, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_ = unix.Close(fd)
			open = append(open, p)
		}
	}
	return list(open)
}

func readable(paths ...string) string {
	var open []string
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		one := make([]byte, 1)
		n, rerr := f.Read(one)
		entries, derr := f.Readdirnames(1)
		_ = f.Close()
		if rerr == nil && n > 0 || derr == nil && len(entries) > 0 {
			open = append(open, p)
		}
	}
	return list(open)
}

func list(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, " ")
}

func device() string {
	path := filepath.Join(os.TempDir(), "curious-disk")
	defer func() { _ = os.Remove(path) }()
	return try(func() error { return unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(7, 0))) })
}

func raw() string {
	return try(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	})
}

func try(f func() error) string {
	if err := f(); err != nil {
		return "no: " + err.Error()
	}
	return "yes"
}

func namespaces() string {
	var shared []string
	for pair := range strings.FieldsSeq(os.Getenv("HOST_NAMESPACES")) {
		name, host, _ := strings.Cut(pair, "=")
		if now, err := os.Readlink("/proc/self/ns/" + name); err == nil && now == host {
			shared = append(shared, name)
		}
	}
	return list(shared)
}

func limit(controller, file string) string {
	for _, p := range []string{"/sys/fs/cgroup/" + controller + "/" + file, "/sys/fs/cgroup/" + file} {
		if data, err := os.ReadFile(p); err == nil {
			if n := strings.TrimSpace(string(data)); n != "max" {
				return n
			}
		}
	}
	return "no limit of its own"
}

func core() string {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil {
		return err.Error()
	}
	if l.Max == 0 {
		return "no"
	}
	return "yes"
}
