package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A service behind a socket of the host sees the host's id of the container's
// root, as the record says.
func TestUserNSPeerOfASocket(t *testing.T) {
	dir := openDir(t)
	connect := dir + "/connect"
	mustRun(t, "gcc", "-static", "-O1", "-Wall", "-Werror", "-o", connect, "peer/connect.c")
	service, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/s", Net: "unix"})
	must(t, err)
	t.Cleanup(func() { _ = service.Close() })
	must(t, os.Chmod(dir+"/s", 0o777)) //nolint:gosec // anybody may connect
	go func() {
		for {
			c, err := service.AcceptUnix()
			if err != nil {
				return
			}
			raw, _ := c.SyscallConn()
			_ = raw.Control(func(fd uintptr) {
				if who, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
					fmt.Fprintf(c, "peer %d", who.Uid)
				}
			})
			_ = c.Close()
		}
	}()
	for mode, mapped := range map[string]bool{"required": true, "off": false} {
		policyFile(t, dir, fmt.Sprintf("profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: %s}, mounts: {sockets: true}}}\n", mode))
		bundle := bundleOf(t, []string{"true"}, func(s *specs.Spec) {
			s.Process.Args = []string{"/connect"}
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/s", Type: "bind", Source: dir + "/s", Options: []string{"bind"}})
		})
		must(t, exec.Command("cp", connect, bundle+"/rootfs/connect").Run())
		out, code := held{dir, "peer" + mode}.hatchdog(t, "run", "--bundle", bundle, "peer"+mode)
		var uid int
		if _, err := fmt.Sscanf(out, "peer %d", &uid); code != 0 || err != nil || (uid >= 65536) != mapped {
			t.Errorf("%s: %d %s", mode, code, out)
		}
		explained, _ := run(t, tested.hatchctl, "--policy", dir+"/policy.yaml", "explain", "peer"+mode)
		if told := strings.Contains(explained, fmt.Sprintf("as the user %d of the host", uid)); told != mapped {
			t.Errorf("%s: the record tells of the peer: %v\n%s", mode, told, explained)
		}
	}
}

// The settings that a container may have of its own are written in a user
// namespace as well.
func TestUserNSSettings(t *testing.T) {
	settings := map[string]string{
		"kernel.domainname": "a.b", "kernel.msgmax": "8192", "kernel.sem": "250 32000 32 128", "kernel.shmmax": "10000000",
		"kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "20", "fs.mqueue.queues_max": "10", "net.ipv4.ip_forward": "1",
		"net.core.somaxconn": "100", "net.ipv4.ip_local_port_range": "2000 3000", "net.ipv6.conf.all.disable_ipv6": "1",
	}
	dir := openDir(t)
	policyFile(t, dir, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}, sysctls: {allow: ['kernel.*', 'fs.mqueue.*', 'net.*']}}}\n")
	for key, value := range settings {
		bundle := bundleOf(t, []string{"true"}, func(s *specs.Spec) {
			s.Process.Args = []string{"/bin/sh", "-c", "cat /proc/sys/" + strings.ReplaceAll(key, ".", "/")}
			s.Linux.Sysctl = map[string]string{key: value}
		})
		name := "set" + strings.ReplaceAll(key, ".", "")
		if out, code := (held{dir, name}).hatchdog(t, "run", "--bundle", bundle, name); code != 0 || strings.Join(strings.Fields(out), " ") != value {
			t.Errorf("%s: %d, want %s in %s", key, code, value, out)
		}
	}
}
