package resolver

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a connection of the container's. It asks one question at a time.
type conn struct {
	fd       int
	in, out  []byte
	asked    bool // and not answered
	gone     bool
	deadline time.Time
}

// longestQuestion is as much as is read of a connection's question.
const longestQuestion = 4096

func (c *conn) events() int16 {
	switch {
	case len(c.out) > 0:
		return unix.POLLOUT
	case c.asked:
		return 0
	}
	return unix.POLLIN
}

// accept takes a connection. Where there are too many, the oldest goes.
func (s *server) accept(listener int) {
	fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return
	}
	if len(s.conns) >= connections {
		s.hangUp(s.conns[0])
	}
	s.conns = append(s.conns, &conn{fd: fd, deadline: time.Now().Add(idle)})
}

func (s *server) hangUp(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	_ = unix.Close(c.fd)
	s.conns = slices.DeleteFunc(s.conns, func(o *conn) bool { return o == c })
}

// converse goes on with a connection.
func (s *server) converse(c *conn) {
	if c.gone {
		return
	}
	if len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			s.hangUp(c)
			return
		}
		if c.out = c.out[max(n, 0):]; len(c.out) == 0 {
			c.out = nil
			s.heard(c)
		}
		return
	}
	n, err := unix.Read(c.fd, s.buf[:longestQuestion])
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil || n == 0 {
		s.hangUp(c)
		return
	}
	c.in = append(c.in, s.buf[:n]...)
	s.heard(c)
}

// heard asks the next question of a connection, if all of it is there.
func (s *server) heard(c *conn) {
	if len(c.in) < 2 || c.asked {
		return
	}
	length := int(binary.BigEndian.Uint16(c.in))
	if length > longestQuestion {
		s.hangUp(c)
		return
	}
	if len(c.in) < 2+length {
		return
	}
	message := slices.Clone(c.in[2 : 2+length])
	c.in = slices.Clone(c.in[2+length:])
	c.asked, c.deadline = true, time.Now().Add(idle)
	s.asked(asker{conn: c}, message)
}

// answer gives a connection its answer. It is written when the other end takes
// it.
func (c *conn) answer(b []byte) {
	c.asked = false
	if !c.gone && len(b) <= maxAnswer {
		c.out = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) //nolint:gosec // bounded
	}
}
