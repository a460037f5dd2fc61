package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// attempt is one thing that a security module may deny.
type attempt struct {
	what string
	try  func() error
}

// lsm prints what came of each attempt: "ok" or the name of the error. It is
// meant for a container that nothing but its AppArmor profile holds back.
func lsm() {
	results := map[string]string{}
	for _, a := range attempts() {
		err := a.try()
		var errno unix.Errno
		switch {
		case err == nil:
			results[a.what] = "ok"
		case errors.As(err, &errno):
			results[a.what] = unix.ErrnoName(errno)
		default:
			results[a.what] = err.Error()
		}
	}
	label, _ := os.ReadFile("/proc/self/attr/current")
	results["label"] = strings.TrimSpace(string(label))
	_ = json.NewEncoder(os.Stdout).Encode(results)
}

func attempts() []attempt {
	return []attempt{
		{"write panic", open("/proc/sys/kernel/panic", unix.O_WRONLY)},
		{"write shmmni", open("/proc/sys/kernel/shmmni", unix.O_WRONLY)},
		{"write ip_forward", open("/proc/sys/net/ipv4/ip_forward", unix.O_WRONLY)},
		{"write sysrq", open("/proc/sysrq-trigger", unix.O_WRONLY)},
		{"write irq", open("/proc/irq/default_smp_affinity", unix.O_WRONLY)},
		{"read kcore", open("/proc/kcore", unix.O_RDONLY)},
		{"read kallsyms", open("/proc/kallsyms", unix.O_RDONLY)},
		{"read status", open("/proc/self/status", unix.O_RDONLY)},
		{"write comm", open("/proc/self/comm", unix.O_WRONLY)},
		{"write sysfs", open("/sys/bus/platform/drivers_autoprobe", unix.O_WRONLY)},
		{"write cgroup", open("/sys/fs/cgroup/cgroup.procs", unix.O_WRONLY)},
		{"read sysfs", open("/sys/bus/platform/drivers_autoprobe", unix.O_RDONLY)},
		{"write a file", func() error { return os.WriteFile("/m/file", nil, 0o600) }},
		{"umount", func() error { return unix.Unmount("/n", 0) }},
		{"mount", func() error { return unix.Mount("t", "/n", "tmpfs", 0, "") }},
		{"chroot", func() error { return unix.Chroot("/") }},
		{"mknod", func() error { return unix.Mknod("/m/node", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) }},
		{"set the clock", setClock},
		{"set the host name", sameHostName},
		{"inet stream", socket(unix.AF_INET, unix.SOCK_STREAM)},
		{"inet dgram", socket(unix.AF_INET, unix.SOCK_DGRAM)},
		{"inet raw", socket(unix.AF_INET, unix.SOCK_RAW)},
		{"inet6 stream", socket(unix.AF_INET6, unix.SOCK_STREAM)},
		{"packet", socket(unix.AF_PACKET, unix.SOCK_RAW)},
		{"alg", socket(unix.AF_ALG, unix.SOCK_SEQPACKET)},
		{"unix", socket(unix.AF_UNIX, unix.SOCK_STREAM)},
		{"netlink", socket(unix.AF_NETLINK, unix.SOCK_RAW)},
		{"read the memory of PID 1", open("/proc/1/environ", unix.O_RDONLY)},
		{"signal PID 1", func() error { return unix.Kill(1, 0) }},
		{"see and signal a child", child},
		{"leave the profile", leave},
		{"pivot_root", func() error { return unix.PivotRoot("/m", "/m") }}, // last: nothing is where it was
	}
}

func open(path string, flags int) func() error {
	return func() error {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
}

func socket(family, kind int) func() error {
	return func() error {
		protocol := 0
		if family == unix.AF_INET && kind == unix.SOCK_RAW {
			protocol = unix.IPPROTO_ICMP
		}
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
}

func sameHostName() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	return unix.Sethostname([]byte(name))
}

func setClock() error {
	ts := unix.NsecToTimespec(time.Now().UnixNano())
	return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
}

func child() error {
	cmd := exec.Command("/proc/self/exe", "sleep")
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "environ"))
	kill := unix.Kill(cmd.Process.Pid, unix.SIGKILL)
	if kill != nil {
		return kill
	}
	_ = cmd.Wait()
	return err
}

func leave() error {
	f, err := os.OpenFile("/proc/self/attr/current", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("changeprofile unconfined")
	return err
}
