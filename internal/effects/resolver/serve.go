package resolver

import (
	"slices"
	"time"

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
