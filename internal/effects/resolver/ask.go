package resolver

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// asker is one who waits for an answer: by a datagram, or by a connection.
type asker struct {
	fd   int
	from unix.Sockaddr
	conn *conn
}

// lookup is a question on its way.
type lookup struct {
	asker
	question
	gates    []int
	list     []netip.Addr
	tries    int
	id       uint16
	stream   bool
	deadline time.Time
}

// asked judges a question.
func (s *server) asked(a asker, b []byte) {
	now := time.Now()
	q, answerable, err := parseQuestion(b)
	if err != nil {
		s.status.malformed++
		if answerable {
			s.answer(a, q, dnsmessage.RCodeFormatError, nil)
		} else if a.conn != nil {
			s.hangUp(a.conn)
		}
		return
	}
	gates, star := s.gates.of(q.name)
	switch {
	case q.q.Class != dnsmessage.ClassINET:
		s.status.refuse(q.name, "class", now)
		s.answer(a, q, dnsmessage.RCodeRefused, nil)
	case len(gates) == 0:
		s.status.refuse(q.name, NotListed, now)
		s.answer(a, q, s.unlisted(), nil)
	case !mayPass(q.q.Type):
		s.status.ask(q.name, now)
		s.answer(a, q, dnsmessage.RCodeSuccess, nil)
	case !s.rate.take(now) || star && !s.starRate.take(now):
		s.status.refuse(q.name, "asked too often", now)
		s.answer(a, q, dnsmessage.RCodeServerFailure, nil)
	case len(s.queue) >= waiting:
		s.status.refuse(q.name, "too many questions at once", now)
		s.answer(a, q, dnsmessage.RCodeServerFailure, nil)
	default:
		s.status.ask(q.name, now)
		s.queue = append(s.queue, &lookup{asker: a, question: q, gates: gates, list: s.whom(q)})
		s.next(now)
	}
}

// unlisted is the answer for a name that the policy does not have.
func (s *server) unlisted() dnsmessage.RCode {
	if s.cfg.Refused {
		return dnsmessage.RCodeRefused
	}
	return dnsmessage.RCodeNameError
}

// whom is who is asked. Where an engine's own resolver is being asked the same
// in this namespace, it is that resolver who asks, and those behind it answer.
func (s *server) whom(q question) []netip.Addr {
	for _, k := range s.sockets {
		if k.l != nil && k.to.IsLoopback() && k.l.name == q.name && k.l.q.Type == q.q.Type && len(s.cfg.Behind) > 0 {
			return s.cfg.Behind
		}
	}
	return s.cfg.Asked
}

// next sends what waits, as far as there are sockets.
func (s *server) next(now time.Time) {
	for i := 0; i < len(s.queue); {
		l := s.queue[i]
		if len(l.list) > 0 && l.tries < attempts {
			to := l.list[l.tries%len(l.list)]
			k := s.free(to, l.stream)
			if k == nil {
				i++
				continue
			}
			l.tries++
			if !k.ask(l, to, now) {
				continue // the next of them
			}
		} else {
			s.answer(l.asker, l.question, dnsmessage.RCodeServerFailure, nil)
			s.status.failed++
		}
		s.queue = slices.Delete(s.queue, i, i+1)
	}
}

func (s *server) free(to netip.Addr, stream bool) *socket {
	for _, k := range s.sockets {
		if k.l == nil && k.v6 == to.Is6() && k.stream == stream {
			return k
		}
	}
	return nil
}
