package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// names prints the median of a look-up in microseconds, and what network prints of the
// address that it gives.
func names(name, server string) error {
	took, err := lookUp(name, server)
	if err != nil {
		return fmt.Errorf("look-up: %w", err)
	}
	fmt.Printf("lookup %.2f\n", took)
	return network(name)
}

var errAnswer = errors.New("no address")

// lookUp asks fewer times than the resolver of a container answers at once.
func lookUp(name, server string) (float64, error) {
	const asked = 1000
	c, err := net.Dial("udp", net.JoinHostPort(server, "53"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 1, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + "."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	question, err := q.Pack()
	if err != nil {
		return 0, err
	}
	all := make([]time.Duration, asked)
	buf := make([]byte, 1232)
	for i := range all {
		begin := time.Now()
		n, err := answerTo(c, question, buf)
		if err != nil {
			return 0, err
		}
		all[i] = time.Since(begin)
		var answer dnsmessage.Message
		if err := answer.Unpack(buf[:n]); err != nil || len(answer.Answers) == 0 {
			return 0, errors.Join(errAnswer, err)
		}
	}
	slices.Sort(all)
	return float64(all[asked/2].Nanoseconds()) / 1000, nil
}

// answerTo asks again when a second passed without an answer, as resolvers of programs do: a
// busy machine loses packets.
func answerTo(c net.Conn, question, answer []byte) (n int, err error) {
	for range 5 {
		if _, err = c.Write(question); err != nil {
			return 0, err
		}
		if err = c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return 0, err
		}
		if n, err = c.Read(answer); !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
	return 0, err
}
