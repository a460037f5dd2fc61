package resolver

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// socket asks another resolver. It was made by who started this process, which
// can make none. Disconnected and connected again it has another port, so that
// nobody can guess where the next answer is waited for.
type socket struct {
	fd      int
	v6      bool
	stream  bool
	l       *lookup // nil: it is free
	to      netip.Addr
	out, in []byte
}

type state int

const (
	pending state = iota
	whole
	broken
)

// ask sends a question. It reports whether an answer can come.
func (k *socket) ask(l *lookup, to netip.Addr, now time.Time) bool {
	var id [2]byte
	if n, err := unix.Getrandom(id[:], 0); n != len(id) || err != nil {
		return false
	}
	l.id = binary.NativeEndian.Uint16(id[:])
	b, err := ask(l.id, l.q)
	if err != nil || k.connect(to) != nil {
		return false
	}
	k.l, k.to, l.deadline = l, to, now.Add(patience)
	if k.stream {
		k.out = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) //nolint:gosec // a question
		return true
	}
	for { // what came for the question before
		if _, _, err := unix.Recvfrom(k.fd, make([]byte, 1), unix.MSG_DONTWAIT); err != nil {
			break
		}
	}
	if _, err := unix.Write(k.fd, b); err != nil {
		k.release()
		return false
	}
	return true
}

func (k *socket) connect(to netip.Addr) error {
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: 53}
	if to.Is6() {
		sa = &unix.SockaddrInet6{Port: 53, Addr: to.As16()}
	} else {
		sa.(*unix.SockaddrInet4).Addr = to.As4()
	}
	err := unix.Connect(k.fd, sa)
	if k.stream && errors.Is(err, unix.EINPROGRESS) {
		return nil
	}
	return err
}

// unspecified disconnects (connect(2)).
var unspecified = unix.RawSockaddr{Family: unix.AF_UNSPEC}

func (k *socket) release() {
	_ = disconnect(k.fd)
	k.l, k.in, k.out = nil, nil, nil
}

func (k *socket) events() int16 {
	if len(k.out) > 0 {
		return unix.POLLOUT
	}
	return unix.POLLIN
}

// receive takes what there is. buf is for a datagram.
func (k *socket) receive(buf []byte) ([]byte, state) {
	if !k.stream {
		n, err := unix.Read(k.fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			return nil, pending
		}
		if err != nil {
			return nil, broken
		}
		return buf[:n], whole
	}
	if len(k.out) > 0 {
		n, err := unix.Write(k.fd, k.out)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return nil, broken
		}
		k.out = k.out[max(n, 0):]
		return nil, pending
	}
	n, err := unix.Read(k.fd, buf)
	if errors.Is(err, unix.EAGAIN) {
		return nil, pending
	}
	if err != nil || n == 0 {
		return nil, broken
	}
	k.in = append(k.in, buf[:n]...)
	if len(k.in) < 2 {
		return nil, pending
	}
	length := int(binary.BigEndian.Uint16(k.in))
	if len(k.in) < 2+length {
		return nil, pending
	}
	return k.in[2 : 2+length], whole
}
