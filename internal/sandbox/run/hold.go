package run

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/inside"
)

// hold stands by until the box has ended.
func (b *box) hold(signals <-chan os.Signal) (Outcome, error) {
	began := time.Now()
	out := Outcome{}
	spent := newBudget(b.Box.Limits.Output)
	done := b.streams.relay(spent, b.Stdin, b.Stdout, b.Stderr)
	status := make(chan unix.WaitStatus, 1)
	go func() { status <- b.wait() }()
	var late, kill <-chan time.Time
	if b.Box.Limits.Time > 0 {
		late = time.After(b.Box.Limits.Time)
	}
	over, cancel := spent.over, b.Cancel
	for {
		select {
		case s := <-signals:
			if s == unix.SIGWINCH {
				b.streams.resize(b.Stdout)
			} else if sig, ok := s.(syscall.Signal); ok && sig != unix.SIGPIPE {
				b.signal(sig)
			}
		case <-late:
			out.Ended, late, kill = "time", nil, time.After(grace)
			b.signal(unix.SIGTERM)
		case <-over:
			over = nil
			if out.Ended == "" {
				out.Ended = "output"
			}
			b.signal(unix.SIGKILL)
		case <-cancel:
			out.Ended, cancel = "cancelled", nil
			b.signal(unix.SIGKILL)
		case out.Changed = <-b.watch.changed:
			out.Ended = "changed"
			b.signal(unix.SIGKILL)
		case <-kill:
			b.signal(unix.SIGKILL)
		case s := <-status:
			b.over = true
			// All in the box is killed by now: its ends of the pipes are closed.
			select {
			case <-done:
			case <-time.After(grace):
			}
			out.Took = time.Since(began)
			b.conclude(&out, s)
			return out, nil
		}
	}
}

func (b *box) signal(sig syscall.Signal) { _ = unix.PidfdSendSignal(b.pidfd, sig, nil, 0) }

func (b *box) wait() unix.WaitStatus {
	var s unix.WaitStatus
	for {
		if _, err := unix.Wait4(b.pid, &s, 0, nil); err != unix.EINTR {
			return s
		}
	}
}

// looked reads what the resolver of the box did, when that has ended: its last
// writing is at its end. A box without names has none.
func (b *box) looked() resolver.Status {
	dir := decision.Store{Base: b.State}.Dir(b.Places.Runtime, b.Box.ID)
	of, own := decision.ResolverOf(dir)
	if !own {
		return resolver.Status{}
	}
	_ = resolver.End(of.Pid, of.Alive)
	st, err := resolver.ReadStatus(decision.ResolverStatus(dir))
	if err != nil {
		return resolver.Status{}
	}
	return st
}

// conclude reads what was counted, and tells who ended the box.
func (b *box) conclude(out *Outcome, s unix.WaitStatus) {
	out.Code = s.ExitStatus()
	if s.Signaled() {
		out.Code = 128 + int(s.Signal())
	}
	out.Counted = inside.ReadCounted(b.groups)
	if b.net >= 0 {
		if r, err := firewall.Read(b.net); err != nil {
			out.Blind = err
		} else {
			out.Noted = r.Noted
		}
		out.NoWay = inside.NoRoutes(b.net)
	}
	out.Names = b.looked()
	switch {
	case out.Ended == "time":
		out.Code = CodeTime
	case out.Ended == "output":
		out.Code = CodeOutput
	case out.Ended == "changed":
		out.Code = CodeFailed
	case out.Code == 128+int(unix.SIGKILL) && out.Counted.OOMKills > 0:
		out.Ended, out.Code = "memory", CodeMemory
	}
}
