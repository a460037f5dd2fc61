package inside

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// ErrNoName is what a resolver says of a name that there is not.
var ErrNoName = errors.New("there is no such name")

// LookUp asks one resolver from a network namespace for the addresses of a name,
// as it is: no domain is searched, and no file of the host's is read, as the
// resolver of the Go library would.
func LookUp(fd int, server netip.Addr, name string) ([]netip.Addr, error) {
	var found []netip.Addr
	err := host.InNetwork(fd, func() error {
		var failed error
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			some, err := question(netip.AddrPortFrom(server, 53), strings.TrimSuffix(name, ".")+".", kind)
			found, failed = append(found, some...), errors.Join(failed, err)
			if err != nil && !errors.Is(err, ErrNoName) {
				break
			}
		}
		if len(found) > 0 {
			return nil
		}
		return failed
	})
	return found, err
}

func question(server netip.AddrPort, name string, kind dnsmessage.Type) ([]netip.Addr, error) {
	full, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, fmt.Errorf("a name that DNS cannot have: %w", err)
	}
	var id [2]byte
	_, _ = rand.Read(id[:]) // it does not fail
	q := dnsmessage.Question{Name: full, Type: kind, Class: dnsmessage.ClassINET}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	asked, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("a name that DNS cannot have: %w", err)
	}
	answer, cut, err := exchange("udp", server, asked)
	if err == nil && cut {
		answer, _, err = exchange("tcp", server, asked)
	}
	if err != nil {
		return nil, resolverError(err)
	}
	return addressesIn(answer)
}

// exchange sends a question and waits for its answer. cut is true where a datagram
// was too small for it.
func exchange(network string, server netip.AddrPort, asked []byte) (answer []byte, cut bool, err error) {
	c, err := net.DialTimeout(network, server.String(), patience)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, false, err
	}
	id := binary.BigEndian.Uint16(asked)
	if network == "tcp" {
		asked = append(binary.BigEndian.AppendUint16(nil, uint16(len(asked))), asked...) //nolint:gosec // a name is short
	}
	if _, err := c.Write(asked); err != nil {
		return nil, false, err
	}
	for {
		answer, err = receive(c, network)
		if err != nil {
			return nil, false, err
		}
		var p dnsmessage.Parser
		h, err := p.Start(answer)
		if err != nil || !h.Response || h.ID != id {
			continue // of another question
		}
		return answer, h.Truncated, nil
	}
}

func receive(c net.Conn, network string) ([]byte, error) {
	const most = 64 << 10
	buf := make([]byte, most)
	if network == "udp" {
		n, err := c.Read(buf)
		return buf[:n], err
	}
	if _, err := io.ReadFull(c, buf[:2]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(buf)
	_, err := io.ReadFull(c, buf[:n])
	return buf[:n], err
}

// addressesIn reads an answer.
func addressesIn(answer []byte) ([]netip.Addr, error) {
	var m dnsmessage.Message
	if err := m.Unpack(answer); err != nil {
		return nil, fmt.Errorf("an answer that cannot be read: %w", err)
	}
	switch m.RCode {
	case dnsmessage.RCodeSuccess:
	case dnsmessage.RCodeNameError:
		return nil, ErrNoName
	default:
		return nil, fmt.Errorf("it answers %s", strings.TrimPrefix(m.RCode.String(), "RCode"))
	}
	var all []netip.Addr
	for _, r := range m.Answers {
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			all = append(all, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			all = append(all, netip.AddrFrom16(body.AAAA).Unmap())
		}
	}
	return all, nil
}

func resolverError(err error) error {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens on its port 53", ErrRefused)
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrSilent
	}
	return err
}
