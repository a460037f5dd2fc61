package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cloud is a network namespace that answers as the metadata service of a cloud
// does. Nothing of it reaches the host's network.
type cloud struct {
	name     string
	listener net.Listener
}

func newCloud(dir string) (*cloud, error) {
	c := &cloud{name: filepath.Base(dir)}
	for _, line := range []string{
		"netns add " + c.name, "-n " + c.name + " link set lo up", "-n " + c.name + " addr add 169.254.169.254/32 dev lo",
	} {
		if err := ip(line); err != nil {
			return c, err
		}
	}
	ready := make(chan error)
	go c.answer(ready)
	return c, <-ready
}

// answer listens on a thread of the namespace, which ends with it.
func (c *cloud) answer(ready chan<- error) {
	runtime.LockOSThread()
	ns, err := os.Open("/run/netns/" + c.name)
	if err == nil {
		err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		_ = ns.Close()
	}
	if err == nil {
		c.listener, err = net.Listen("tcp4", "169.254.169.254:80")
	}
	ready <- err
	for err == nil {
		var conn net.Conn
		if conn, err = c.listener.Accept(); err == nil {
			_, _ = conn.Write([]byte("the machine's credentials"))
			_ = conn.Close()
		}
	}
}

// connect gives a container that was created a link to the cloud.
func (c *cloud) connect(pid int) error {
	in := "--net=/proc/" + strconv.Itoa(pid) + "/ns/net"
	if err := ip("-n " + c.name + " link add out type veth peer name eth0 netns " + strconv.Itoa(pid)); err != nil {
		return err
	}
	for _, line := range []string{"-n " + c.name + " addr add 10.213.9.1/24 dev out", "-n " + c.name + " link set out up"} {
		if err := ip(line); err != nil {
			return err
		}
	}
	for _, line := range []string{"addr add 10.213.9.2/24 dev eth0", "link set eth0 up", "route add default via 10.213.9.1"} {
		if out, err := exec.Command("nsenter", append([]string{in, "ip"}, strings.Fields(line)...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

func (c *cloud) close() {
	if c.listener != nil {
		_ = c.listener.Close()
	}
	_ = ip("netns delete " + c.name)
}

func ip(line string) error {
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, out)
	}
	return nil
}
