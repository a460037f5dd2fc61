package resolver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
)

// Request is for whom a resolver is started.
type Request struct {
	Namespace int // a descriptor of the network namespace, in which the rules are
	Pid       int // the container's first process, with which it ends
	Gates     []egress.Gate
	Refused   bool // answers REFUSED for a name that has no gate, in place of NXDOMAIN
	Facts     egress.Facts
	Status    string // the file that it writes
	Program   string // hatchdog; "" is this one
}

// ErrThere means that the namespace has a resolver: another container's, which
// started first.
var ErrThere = errors.New("the network namespace has a resolver")

// startPatience is how long the process may take until it answers.
const startPatience = 10 * time.Second

// Start starts one, and returns its pid when it answers. It goes on when this
// process ends.
func Start(r Request) (int, error) {
	pid := 0
	err := host.InNetwork(r.Namespace, func() error {
		var err error
		pid, err = start(r)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("resolver: %w", err)
	}
	return pid, nil
}

// made are files for the process, closed here when it has them.
type made struct{ files []*os.File }

func (m *made) add(fd int, err error) error {
	if err == nil {
		m.files = append(m.files, os.NewFile(uintptr(fd), "")) //nolint:gosec // a descriptor
	}
	return err
}

func (m *made) close() {
	for _, f := range m.files {
		_ = f.Close() // the process has its own
	}
}

func start(r Request) (int, error) {
	var m, sockets made
	defer func() { m.close(); sockets.close() }()
	cfg := Config{Gates: r.Gates, Asked: r.Facts.Asked, Behind: r.Facts.Behind, Refused: r.Refused}
	if err := sockets.all(&cfg); err != nil {
		return 0, err
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		return 0, err
	}
	if err := m.add(inMemory("config", data)); err != nil {
		return 0, err
	}
	answer, said, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer answer.Close()
	m.files = append(m.files, said)
	if err := m.add(unix.PidfdOpen(r.Pid, 0)); err != nil {
		return 0, fmt.Errorf("the container's first process: %w", err)
	}
	if err := m.add(unix.Open(r.Status, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)); err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	if err := m.add(marked(unix.AF_INET, unix.SOCK_DGRAM)); err != nil {
		return 0, err
	}
	cmd := &exec.Cmd{
		Path: cmp.Or(r.Program, "/proc/self/exe"), Args: []string{"hatchdog", Verb}, Env: []string{"GODEBUG=containermaxprocs=0,updatemaxprocs=0"}, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Unshareflags: unix.CLONE_NEWNS},
	}
	cmd.ExtraFiles = slices.Concat(m.files, sockets.files)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_ = said.Close()
	if err := answers(answer); err != nil {
		return 0, errors.Join(err, cmd.Process.Kill(), ended(cmd))
	}
	return cmd.Process.Pid, nil
}

// ended waits for a process that was killed.
func ended(cmd *exec.Cmd) error {
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

var errSilent = errors.New("it ended before it answered")

// answers waits until the process says that it answers, or why not.
func answers(from *os.File) error {
	if err := from.SetReadDeadline(time.Now().Add(startPatience)); err != nil {
		return err
	}
	said, err := io.ReadAll(io.LimitReader(from, 1024))
	switch {
	case err != nil:
		return err
	case len(said) == 0:
		return errSilent
	case len(said) == 1 && said[0] == ready:
		return nil
	}
	return errors.New(string(said))
}

// inMemory is a file in memory with data, to be read from its beginning.
func inMemory(name string, data []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	if _, err = unix.Write(fd, data); err == nil {
		_, err = unix.Seek(fd, 0, io.SeekStart)
	}
	if err != nil {
		_ = unix.Close(fd)
	}
	return fd, err
}

// all makes the sockets, in the order of Config. A namespace without IPv6 has
// those of IPv4 alone.
func (m *made) all(cfg *Config) error {
	for _, kind := range []struct {
		which int
		count *int
	}{{unix.SOCK_DGRAM, &cfg.Listeners}, {unix.SOCK_STREAM, &cfg.Streams}} {
		for _, at := range []netip.AddrPort{firewall.Listen4, firewall.Listen6} {
			err := m.add(listen(at, kind.which))
			switch {
			case errors.Is(err, unix.EADDRINUSE):
				return ErrThere
			case err != nil && at.Addr().Is6():
				continue
			case err != nil:
				return fmt.Errorf("listen at %s: %w", at, err)
			}
			*kind.count++
		}
	}
	v4, v6 := false, false
	for _, a := range append(cfg.Asked, cfg.Behind...) {
		v4, v6 = v4 || a.Is4(), v6 || a.Is6()
	}
	for _, f := range []struct {
		want              bool
		family            int
		datagrams, stream *int
	}{{v4, unix.AF_INET, &cfg.Datagrams4, &cfg.Streams4}, {v6, unix.AF_INET6, &cfg.Datagrams6, &cfg.Streams6}} {
		if !f.want {
			continue
		}
		for range datagrams {
			if err := m.add(marked(f.family, unix.SOCK_DGRAM)); err != nil {
				return err
			}
			*f.datagrams++
		}
		for range streams {
			if err := m.add(marked(f.family, unix.SOCK_STREAM)); err != nil {
				return err
			}
			*f.stream++
		}
	}
	return nil
}

func listen(at netip.AddrPort, kind int) (int, error) {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: at.Addr().As16(), Port: int(at.Port())})
	if at.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.Listen(fd, connections)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// marked is a socket whose packets the rules know.
func marked(family, kind int) (int, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, firewall.Mark); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("mark: %w", err)
	}
	return fd, nil
}
