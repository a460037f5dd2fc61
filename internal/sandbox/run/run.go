// Package run starts a box, stands between it and its caller, and takes it away.
//
// Guarantees: the command starts only when the policy was applied and the box was
// looked into; it ends, with all that it started, when its first process ends,
// when a limit is reached, or with this process, whatever ends that; nothing of
// it stays but what it wrote where it was granted to.
// Does not cover: a host that goes down meanwhile, or a kill -9 of this process,
// which leave stand-ins, the bundle and a box that was not started yet; the next
// run takes them away, wherever it is.
// Requires: hatchdog and what it requires.
// Spec fields touched: none; package sandbox makes them.
package run

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// Request is one run.
type Request struct {
	Box      sandbox.Box
	Secrets  map[string][]byte
	Hatchdog string   // the program
	Profile  string   // full name of the profile that the run's extends
	Policy   []string // files of the policy in force
	Homes    []string // home directories of the host
	Places   Places   // made
	Overlay  bool     // what can be written to is a copy (package layer)
	State    string   // where hatchdog keeps its records
	Stdin    *os.File
	Stdout   *os.File
	Stderr   *os.File
	Created  func(pid int)   // called with the first process before the command begins, if it is set
	Started  func()          // called when the command has begun, if it is set
	Cancel   <-chan struct{} // closed when all is to end at once; nil is never
}

// Outcome is what became of it.
type Outcome struct {
	Code    int
	Ended   string // by what, where not by itself: "time", "output", "memory", "changed", "cancelled"
	Changed string // the path that came open
	Took    time.Duration
	Counted inside.Counted
	Noted   []firewall.Noted // destinations of what was dropped
	NoWay   int64            // what was sent where no way leads
	Names   resolver.Status  // what was looked up, as the process says that answered
	Blind   error            // why the drops are not known
}

// box is a run under way.
type box struct {
	*Request
	was      seen
	place    *place
	standins []standin
	line     *os.File // our end; the box ends with it
	streams  *streams
	pid      int
	pidfd    int
	groups   map[string]string
	net      int // its network namespace, -1 is none
	way      *wayOut
	watch    *watch
	created  bool
	over     bool // its first process has ended
	copied   bool // layers of the run are there
}

// Run runs it.
func Run(r *Request) (out Outcome, err error) {
	for _, p := range left(r.Places.Bundles) {
		forget(r, p)
	}
	b := &box{Request: r, pidfd: -1, net: -1}
	defer func() { err = errors.Join(err, b.end()) }()
	// The first process of the box becomes our child when its maker is gone.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return out, fmt.Errorf("prctl: %w", err)
	}
	signals := make(chan os.Signal, 64)
	// SIGPIPE as well: when nobody reads what the command prints, it ends in order.
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGPIPE)
	defer signal.Stop(signals)
	for _, step := range []func() error{b.prepare, b.create, b.ready, b.start} {
		if err := step(); err != nil {
			return out, errors.Join(err, b.uncopy())
		}
		if sig := stopped(signals); sig != 0 {
			return Outcome{Code: 128 + int(sig)}, b.uncopy()
		}
		select {
		case <-r.Cancel:
			return Outcome{Code: 128 + int(unix.SIGKILL), Ended: "cancelled"}, b.uncopy()
		default:
		}
	}
	if r.Started != nil {
		r.Started()
	}
	return b.hold(signals)
}

// stopped is the signal by which the caller called it off before the command ran.
func stopped(signals <-chan os.Signal) syscall.Signal {
	for {
		select {
		case s := <-signals:
			if sig, ok := s.(syscall.Signal); ok && sig != unix.SIGWINCH && sig != unix.SIGPIPE && sig != unix.SIGUSR1 && sig != unix.SIGUSR2 {
				return sig
			}
		default:
			return 0
		}
	}
}

// ready does what the command must not be started without.
func (b *box) ready() (err error) {
	if b.watch, err = newWatch(b.pid, &b.Box); err != nil {
		return err
	}
	if err := verify(b.pid, &b.Box, b.was); err != nil {
		return err
	}
	if b.net, err = firewall.Open(fmt.Sprintf("/proc/%d/ns/net", b.pid), host.FileID{}); err != nil {
		return err
	}
	if b.Created != nil {
		b.Created(b.pid)
	}
	if len(b.Box.Allow) > 0 {
		b.way, err = connect(b.pid)
	}
	return err
}
