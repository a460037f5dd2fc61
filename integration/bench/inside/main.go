// Command inside is what the bench runs in a container: it prints what a system
// call takes there, or what a connection gives, or a look-up.
//
// usage: inside calls | inside net HOST | inside names NAME RESOLVER
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
	"unsafe"
)

// The ports of the other end: one takes what comes, one sends it back.
const (
	streamPort = "9001"
	askPort    = "9002"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "calls":
		err = calls()
	case len(os.Args) == 3 && os.Args[1] == "net":
		err = network(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "names":
		err = names(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("usage: inside calls | inside net HOST | inside names NAME RESOLVER")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
		os.Exit(1)
	}
}

// calls prints nanoseconds: of a call that does next to nothing, of one that
// works on files, and of one whose arguments a filter reads.
func calls() error {
	self := []byte("/proc/self/exe\x00")
	const atCwd = ^uintptr(99) // AT_FDCWD, -100
	for _, c := range []struct {
		name string
		call func() syscall.Errno
	}{
		{"getppid", func() syscall.Errno {
			_, _, errno := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
			return errno
		}},
		{"openat", func() syscall.Errno {
			return closed(syscall.RawSyscall6(syscall.SYS_OPENAT, atCwd, uintptr(unsafe.Pointer(&self[0])), syscall.O_RDONLY|syscall.O_CLOEXEC, 0, 0, 0))
		}},
		{"socket", func() syscall.Errno {
			return closed(syscall.RawSyscall(syscall.SYS_SOCKET, syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0))
		}},
	} {
		ns, err := each(c.call)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Printf("%s %.2f\n", c.name, ns)
	}
	return nil
}

// closed closes what a call opened.
func closed(fd, _ uintptr, errno syscall.Errno) syscall.Errno {
	if errno == 0 {
		_, _, errno = syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	}
	return errno
}

// each is what one call takes in the fastest of some batches, each of some
// milliseconds: what disturbs one of them does not count.
func each(call func() syscall.Errno) (float64, error) {
	const batches, long = 10, 4 * time.Millisecond
	least := time.Duration(0)
	n := 1
	for done := 0; done < batches; {
		begin := time.Now()
		for range n {
			if errno := call(); errno != 0 {
				return 0, errno
			}
		}
		took := time.Since(begin)
		if took < long && done == 0 {
			n *= 2
			continue
		}
		if least == 0 || took < least {
			least = took
		}
		done++
	}
	return float64(least.Nanoseconds()) / float64(n), nil
}

// network prints megabytes a second and the median of a round trip in
// microseconds.
func network(host string) error {
	rate, err := stream(host)
	if err != nil {
		return err
	}
	trip, err := ask(host)
	if err != nil {
		return err
	}
	fmt.Printf("stream %.2f\nask %.2f\n", rate, trip)
	return nil
}

func stream(host string) (float64, error) {
	const total, piece = 512 << 20, 128 << 10
	c, err := net.Dial("tcp", net.JoinHostPort(host, streamPort))
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	buf := make([]byte, piece)
	begin := time.Now()
	for range total / piece {
		if _, err := c.Write(buf); err != nil {
			return 0, err
		}
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		err = tcp.CloseWrite()
	}
	if err == nil {
		_, err = io.Copy(io.Discard, c) // the other end has read all, and closes
	}
	return total / 1e6 / time.Since(begin).Seconds(), err
}

func ask(host string) (float64, error) {
	const trips = 4000
	c, err := net.Dial("tcp", net.JoinHostPort(host, askPort))
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	all := make([]time.Duration, trips)
	buf := make([]byte, 1)
	for i := range all {
		begin := time.Now()
		if _, err := c.Write(buf); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return 0, err
		}
		all[i] = time.Since(begin)
	}
	slices.Sort(all)
	return float64(all[trips/2].Nanoseconds()) / 1000, nil
}
