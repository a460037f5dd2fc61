package firewall

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// socket carries the messages of the nftables library. The library's own socket
// asks the kernel to acknowledge every message of a transaction and reads each
// answer with two calls: for some sixty rules that took a third of an
// installation. This one asks for the last acknowledgement alone. An error is
// told without one (kernel, net/netfilter/nfnetlink.c, nfnetlink_rcv_batch), and
// the rules are read back from the kernel in any case.
type socket struct {
	fd     int
	answer []byte
}

// buffers bounds what one transaction may send, in bytes: some ten thousand
// rules. The kernel takes what is used.
const buffers = 16 << 20

// answers is as much as the kernel puts into one answer to a dump
// (kernel, net/netlink/af_netlink.c, netlink_recvmsg).
const answers = 32 << 10

// dial opens a socket in a network namespace.
func dial(namespace int) (*socket, error) {
	s := &socket{fd: -1, answer: make([]byte, answers)}
	err := host.InNetwork(namespace, func() error {
		var err error
		s.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		s.room(unix.SO_SNDBUFFORCE, unix.SO_SNDBUF),
		s.room(unix.SO_RCVBUFFORCE, unix.SO_RCVBUF),
	)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// room makes a buffer as large as may be: beyond the host's limit only where
// the kernel lets this process.
func (s *socket) room(forced, asked int) error {
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, forced, buffers) == nil {
		return nil
	}
	return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, asked, buffers)
}

func (s *socket) close() error { return unix.Close(s.fd) }

// exchange sends requests and returns the answers, as the library's own socket
// would. Without a request it is asked for one more acknowledgement of a
// transaction that succeeded.
func (s *socket) exchange(requests []netlink.Message) ([]netlink.Message, error) {
	if len(requests) == 0 {
		return []netlink.Message{{Header: netlink.Header{Type: netlink.Error}, Data: make([]byte, 4)}}, nil
	}
	first, last := requests[0].Header.Sequence, onlyLast(requests)
	if err := s.send(requests); err != nil {
		return nil, err
	}
	var all []netlink.Message
	for {
		messages, err := s.receive()
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			m.Header.PID = requests[0].Header.PID // the library compares it
			switch h := m.Header; {
			case int32(h.Sequence-first) < 0: // to what failed before
			case h.Type == netlink.Error && h.Sequence == last && succeeded(m):
				return all, nil
			case h.Type == netlink.Error && !succeeded(m):
				return []netlink.Message{m}, nil
			case h.Type == netlink.Done:
				return append(all, m), nil
			default:
				all = append(all, m)
			}
		}
	}
}

func succeeded(m netlink.Message) bool {
	return len(m.Data) >= 4 && binary.NativeEndian.Uint32(m.Data) == 0
}

// onlyLast lets only the last request be acknowledged that asks for it, and
// returns its number.
func onlyLast(requests []netlink.Message) uint32 {
	var last netlink.Header
	for i := range slices.Backward(requests) {
		h := &requests[i].Header
		if h.Flags&netlink.Acknowledge == 0 || h.Flags&netlink.Dump == netlink.Dump {
			continue
		}
		if last == (netlink.Header{}) {
			last = *h
			continue
		}
		h.Flags &^= netlink.Acknowledge
	}
	return last.Sequence
}

func (s *socket) send(requests []netlink.Message) error {
	var all []byte
	for _, m := range requests {
		m.Header.PID = 0 // the socket's own
		one, err := m.MarshalBinary()
		if err != nil {
			return err
		}
		all = append(all, one...)
	}
	return unix.Sendto(s.fd, all, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

var errCut = errors.New("the kernel's answer is longer than the room for it")

// receive never waits: the kernel has answered when send returns, and makes the
// next part of a dump while one is read.
func (s *socket) receive() ([]netlink.Message, error) {
	n, _, flags, _, err := unix.Recvmsg(s.fd, s.answer, nil, unix.MSG_DONTWAIT)
	if err != nil {
		return nil, err
	}
	if flags&unix.MSG_TRUNC != 0 {
		return nil, errCut
	}
	raw, err := syscall.ParseNetlinkMessage(s.answer[:n])
	if err != nil {
		return nil, err
	}
	all := make([]netlink.Message, len(raw))
	for i, r := range raw {
		h := netlink.Header{Length: r.Header.Len, Type: netlink.HeaderType(r.Header.Type), Flags: netlink.HeaderFlags(r.Header.Flags), Sequence: r.Header.Seq, PID: r.Header.Pid}
		all[i] = netlink.Message{Header: h, Data: slices.Clone(r.Data)}
	}
	return all, nil
}
