package run

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/containerd/console"
	runc "github.com/containerd/go-runc"
)

// streams are what a box reads from and writes to: pipes, or a terminal of its
// own. The caller's terminal is never handed in.
type streams struct {
	// Handed to create.
	stdin, stdout, stderr *os.File
	flags                 []string

	in, out, errs *os.File // our ends
	socket        *runc.Socket
	terminal      console.Console // of the box
	own           console.Console // the caller's, in raw mode
}

func open(terminal bool, at string) (*streams, error) {
	s := &streams{}
	var err error
	pipe := func(r, w **os.File) {
		if err == nil {
			*r, *w, err = os.Pipe()
		}
	}
	if !terminal {
		pipe(&s.stdin, &s.in)
		pipe(&s.out, &s.stdout)
		pipe(&s.errs, &s.stderr)
		return s, err
	}
	if s.socket, err = runc.NewConsoleSocket(at); err != nil {
		return nil, err
	}
	s.flags = []string{"--console-socket", s.socket.Path()}
	pipe(&s.errs, &s.stderr)
	return s, err
}

// handedOver closes what the box has now.
func (s *streams) handedOver() {
	for _, f := range []*os.File{s.stdin, s.stdout, s.stderr} {
		if f != nil {
			f.Close()
		}
	}
}

// said is what was printed about a box that was not made.
func (s *streams) said() string {
	text, _ := io.ReadAll(io.LimitReader(s.errs, 64<<10))
	return strings.TrimSpace(string(text))
}

// relay copies until the box has ended. The channel closes when all that it
// printed was passed on.
func (s *streams) relay(b *budget, stdin, stdout, stderr *os.File) <-chan struct{} {
	var all sync.WaitGroup
	if s.terminal != nil {
		go func() { _, _ = io.Copy(s.terminal, stdin) }()
		all.Go(func() { b.pass(stdout, s.terminal) })
	} else {
		go func() {
			_, _ = io.Copy(s.in, stdin)
			s.in.Close()
		}()
		all.Go(func() { b.pass(stdout, s.out) })
		all.Go(func() { b.pass(stderr, s.errs) })
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	return done
}

// attach takes the box's terminal, and puts the caller's into raw mode.
func (s *streams) attach(stdin *os.File) error {
	if s.socket == nil {
		return nil
	}
	var err error
	if s.terminal, err = s.socket.ReceiveMaster(); err != nil {
		return err
	}
	own, err := console.ConsoleFromFile(stdin)
	if err != nil {
		return err
	}
	if err := own.SetRaw(); err != nil {
		return err
	}
	s.own = own
	s.resize(stdin)
	return nil
}

func (s *streams) resize(_ *os.File) {
	if s.own != nil && s.terminal != nil {
		_ = s.terminal.ResizeFrom(s.own)
	}
}

func (s *streams) close() error {
	var errs []error
	if s.own != nil {
		errs = append(errs, s.own.Reset())
	}
	if s.socket != nil {
		errs = append(errs, s.socket.Close())
	}
	if s.terminal != nil {
		_ = s.terminal.Close()
	}
	for _, f := range []*os.File{s.in, s.out, s.errs} {
		if f != nil {
			f.Close() // again, where the relay did
		}
	}
	return errors.Join(errs...)
}
