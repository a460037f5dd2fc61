package resolver

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// server is the process: one loop, no other thread of ours, and nothing that
// grows beyond its bounds.
type server struct {
	cfg       Config
	gates     gatekeeper
	status    *status
	rate      bucket
	starRate  bucket
	listeners []int
	accepting []int
	conns     []*conn
	sockets   []*socket
	queue     []*lookup
	buf       []byte
	pages     []span
	released  time.Time
}

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

// serve is the loop. It returns when the container's first process has ended.
func (s *server) serve() error {
	for {
		now := time.Now()
		s.expire(now)
		s.gates.close(now)
		s.next(now)
		if s.status.due(now) {
			s.status.write(now, "")
			if now.Sub(s.released) > releaseEvery {
				s.released = now
				release(s.pages)
			}
		}
		fds, done := s.interests()
		var wait *unix.Timespec
		if d, ok := s.soonest(now); ok {
			t := unix.NsecToTimespec(max(d, time.Millisecond).Nanoseconds())
			wait = &t
		}
		_, err := unix.Ppoll(fds, wait, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if fds[0].Revents != 0 {
			return nil
		}
		for i, f := range fds[1:] {
			if f.Revents != 0 {
				done[i](f.Revents)
			}
		}
	}
}

// interests are the descriptors that are waited for, the container's first
// process first, and what happens when one is ready.
func (s *server) interests() ([]unix.PollFd, []func(int16)) {
	fds := []unix.PollFd{{Fd: firstProcessFD, Events: unix.POLLIN}}
	var then []func(int16)
	add := func(fd int, events int16, f func(int16)) {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: events}) //nolint:gosec // a descriptor
		then = append(then, f)
	}
	for _, fd := range s.listeners {
		add(fd, unix.POLLIN, func(int16) { s.datagrams(fd) })
	}
	for _, fd := range s.accepting {
		add(fd, unix.POLLIN, func(int16) { s.accept(fd) })
	}
	for _, c := range s.conns {
		if events := c.events(); events != 0 {
			add(c.fd, events, func(int16) { s.converse(c) })
		}
	}
	for _, k := range s.sockets {
		if k.l != nil {
			add(k.fd, k.events(), func(int16) { s.answered(k) })
		}
	}
	return fds, then
}

// soonest is how long nothing has to be done.
func (s *server) soonest(now time.Time) (time.Duration, bool) {
	var at time.Time
	take := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, k := range s.sockets {
		if k.l != nil {
			take(k.l.deadline)
		}
	}
	for _, c := range s.conns {
		take(c.deadline)
	}
	for _, t := range []time.Time{s.status.at(), s.gates.next} {
		if !t.IsZero() {
			take(t)
		}
	}
	return at.Sub(now), !at.IsZero()
}

// datagrams takes questions from a socket, a few at a time: others wait too.
func (s *server) datagrams(fd int) {
	for range 32 {
		n, from, err := unix.Recvfrom(fd, s.buf, unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		s.asked(asker{fd: fd, from: from}, s.buf[:n])
	}
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

// expire gives up what took too long.
func (s *server) expire(now time.Time) {
	for _, k := range s.sockets {
		if k.l != nil && !now.Before(k.l.deadline) {
			s.again(k)
		}
	}
	for _, c := range slices.Clone(s.conns) {
		if !now.Before(c.deadline) {
			s.hangUp(c)
		}
	}
}

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

// bucket bounds a rate.
type bucket struct {
	rate, most float64
	have       float64
	last       time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.have = min(b.most, b.have+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	if b.have < 1 {
		return false
	}
	b.have--
	return true
}
