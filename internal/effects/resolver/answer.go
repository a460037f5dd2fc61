package resolver

import (
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// again puts what a socket was asked back into the queue, for the next resolver.
func (s *server) again(k *socket) {
	l := k.l
	k.release()
	l.stream = false
	s.queue = append(s.queue, l)
}

// answered takes what a socket has.
func (s *server) answered(k *socket) {
	l := k.l
	if l == nil {
		return
	}
	b, state := k.receive(s.buf)
	switch state {
	case pending:
		return
	case broken:
		s.again(k)
		return
	}
	f, err := parseAnswer(b, l.id, l.q)
	if err != nil {
		s.status.foreign++
		if k.stream {
			s.again(k)
		}
		return // a datagram that is the answer may still come
	}
	k.release()
	switch {
	case f.truncated && !k.stream:
		l.stream, l.tries = true, l.tries-1
		s.queue = append(s.queue, l)
	case f.code != dnsmessage.RCodeSuccess && f.code != dnsmessage.RCodeNameError, f.truncated:
		l.stream = false
		s.queue = append(s.queue, l)
	default:
		s.deliver(l, f)
	}
}

// deliver has the addresses of an answer opened, and lets it go.
func (s *server) deliver(l *lookup, f found) {
	now := time.Now()
	kept, opened, refused := s.gates.pass(l.gates, f.records, now)
	for _, a := range opened {
		s.status.open(l.name, a)
	}
	for _, a := range refused {
		s.status.refuse(l.name, "its answer "+a.String()+" is no address that the policy opens", now)
	}
	code := f.code
	if len(refused) > 0 && len(opened) == 0 {
		kept, code = nil, dnsmessage.RCodeRefused
	}
	s.answer(l.asker, l.question, code, kept)
}

func (s *server) answer(a asker, q question, code dnsmessage.RCode, records []dnsmessage.Resource) {
	if a.conn != nil {
		a.conn.answer(reply(q, code, records, maxAnswer))
		return
	}
	if b := reply(q, code, records, q.size); b != nil {
		_ = unix.Sendto(a.fd, b, unix.MSG_DONTWAIT, a.from) // who does not take it asks again
	}
}
