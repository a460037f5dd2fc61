// Command reach tries, from inside a container, what a firewall is there to
// stop. It prints a line for each of its arguments: the argument, and yes or
// no with the reason.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

const patience = 700 * time.Millisecond

// answering is how long who took a connection may take to answer.
const answering = 10 * time.Second

func main() {
	for _, arg := range os.Args[1:] {
		kind, rest, _ := strings.Cut(arg, "=")
		err := try(kind, rest)
		if err == nil {
			fmt.Println(arg, "yes")
		} else {
			fmt.Println(arg, "no:", err)
		}
	}
}

func try(kind, to string) error {
	switch kind {
	case "tcp", "udp":
		return dial(kind, to)
	case "name":
		return resolve(to)
	case "serve":
		return serve(to)
	case "sleep":
		d, err := time.ParseDuration(to)
		time.Sleep(d)
		return err
	case "raw":
		return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP)
	case "packet":
		return socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	case "big":
		return big(to)
	case "flush":
		return flush()
	case "namespace":
		runtime.LockOSThread()
		return unix.Unshare(unix.CLONE_NEWNET)
	case "own-user-namespace-flush":
		return asRootOfItsOwn("flush")
	}
	return fmt.Errorf("reach: %q is not known", kind)
}

// dial sends a line and wants one back.
func dial(network, to string) error {
	c, err := net.DialTimeout(network, to, patience)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	wait := patience // what is forbidden gets no answer
	if network == "tcp" {
		wait = answering
	}
	_ = c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write([]byte("hello\n")); err != nil {
		return err
	}
	_, err = bufio.NewReader(c).ReadString('\n')
	return err
}

// big sends a datagram that needs fragments.
func big(to string) error {
	c, err := net.DialTimeout("udp", to, patience)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte(strings.Repeat("x", 8000) + "\n")); err != nil {
		return err
	}
	answer := make([]byte, 9000)
	_, err = c.Read(answer)
	return err
}

func resolve(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	_, err := (&net.Resolver{PreferGo: true}).LookupHost(ctx, name)
	return err
}

// serve answers every line on a TCP port, for as long as it lives.
func serve(at string) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = c.Close() }()
			line, _ := bufio.NewReader(c).ReadString('\n')
			_, _ = c.Write([]byte(line))
		}()
	}
}

// asRootOfItsOwn tries arg as the root of a user namespace of its own, with all
// capabilities there.
func asRootOfItsOwn(arg string) error {
	cmd := exec.Command("/proc/self/exe", arg)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
	}
	out, err := cmd.Output()
	if err == nil && !strings.HasSuffix(string(out), " yes\n") {
		err = errors.New(strings.TrimSpace(string(out)))
	}
	return err
}

func socket(family, kind, proto int) error {
	fd, err := unix.Socket(family, kind, proto)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

// flush deletes our table, or failing that adds one that could accept.
func flush() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	t := &nftables.Table{Name: "hatchdog", Family: nftables.TableFamilyINet}
	c.DelTable(t)
	if err := c.Flush(); err == nil {
		return nil
	}
	c.AddTable(&nftables.Table{Name: "other", Family: nftables.TableFamilyINet})
	return c.Flush()
}
