package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/record"
)

// Syslog writes RFC 5424 to a socket: a message a datagram, or each behind its
// length on a stream.
type Syslog struct {
	Network string // udp, tcp, unix
	Address string
	Secure  func() (*tls.Config, error) // nil: no TLS
	ECS     bool                        // instead of CEF
	Most    int                         // bytes of a message
	Host    encode.Host

	conn   net.Conn
	stream bool
}

// Send writes the batch. On TCP it waits until the receiver's kernel has
// acknowledged all of it: syslog itself has no answer.
func (s *Syslog) Send(ctx context.Context, batch []record.Record) (Sent, error) {
	if s.conn == nil {
		if err := s.dial(ctx); err != nil {
			return Sent{}, err
		}
	}
	sent, err := s.write(batch)
	if err != nil {
		return sent, errors.Join(err, s.Close())
	}
	return sent, nil
}

func (s *Syslog) write(batch []record.Record) (Sent, error) {
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return Sent{}, err
	}
	for i, r := range batch {
		msg := s.message(r)
		if s.stream {
			msg = encode.Octets(msg)
		}
		if _, err := s.conn.Write(msg); err != nil {
			if s.stream {
				i = 0 // what was written before may be lost with the connection
			}
			return Sent{Done: i}, err
		}
	}
	if err := acknowledged(s.conn); err != nil {
		return Sent{}, err
	}
	return Sent{Done: len(batch)}, nil
}

func (s *Syslog) message(r record.Record) []byte {
	body := encode.CEF
	if s.ECS {
		body = encode.ECS
	}
	return encode.Syslog(r, s.Host, os.Getpid(), body(r, s.Host, s.Most-encode.HeaderMost))
}

func (s *Syslog) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var d net.Dialer
	s.stream = s.Network == "tcp"
	if s.Network == "unix" {
		conn, err := d.DialContext(ctx, "unixgram", s.Address)
		if errors.Is(err, unix.EPROTOTYPE) {
			s.stream = true
			conn, err = d.DialContext(ctx, "unix", s.Address)
		}
		s.conn = conn
		return err
	}
	conn, err := d.DialContext(ctx, s.Network, s.Address)
	if err != nil {
		return err
	}
	if s.Secure == nil {
		s.conn = conn
		return nil
	}
	conf, err := s.Secure()
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	if conf.ServerName == "" {
		conf.ServerName, _, _ = net.SplitHostPort(s.Address)
	}
	secure := tls.Client(conn, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("tls: %w", err), conn.Close())
	}
	s.conn = secure
	return nil
}

// Close closes the connection.
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	conn := s.conn
	s.conn = nil
	return conn.Close()
}

// tcpEstablished is TCP_ESTABLISHED of the kernel's tcp_states.h.
const tcpEstablished = 1

var errClosed = errors.New("the receiver closed the connection")

// acknowledged waits until nothing that was written is on its way, and the
// connection stands. Where that is no TCP it does not wait.
func acknowledged(conn net.Conn) error {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		var left int
		var info *unix.TCPInfo
		var asked error
		err := raw.Control(func(fd uintptr) {
			if left, asked = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); asked == nil {
				info, asked = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			}
		})
		switch {
		case err != nil || asked != nil:
			return errors.Join(err, asked)
		case info.State != tcpEstablished:
			return errClosed
		case left == 0:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("the receiver has not acknowledged %d bytes in %v", left, patience)
		}
	}
}
