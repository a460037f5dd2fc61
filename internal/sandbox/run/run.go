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
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/layer"
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

// grace is how long a command may take to end when it is asked to.
const grace = 5 * time.Second

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

// prepare looks through what is granted, and makes the bundle.
func (b *box) prepare() (err error) {
	if b.was, err = look(&b.Box); err != nil {
		return err
	}
	if err := b.Box.Search(b.Homes); err != nil {
		return err
	}
	if b.place, err = newPlace(b.Places.Bundles, b.Box.ID); err != nil {
		return err
	}
	if b.Overlay {
		if err := b.copy(); err != nil {
			return err
		}
	}
	if b.standins, err = standFor(b.place, &b.Box); err != nil {
		return err
	}
	return b.write()
}

// copy puts a copy in the place of each directory that can be written to. It has
// nothing that is hidden.
func (b *box) copy() error {
	if _, err := os.Lstat(filepath.Join(b.Places.Layers, b.Box.ID)); err == nil {
		return fmt.Errorf("changes of a run %s wait: hatchctl run apply or discard", b.Box.ID)
	}
	for i := range b.Box.Grants {
		g := &b.Box.Grants[i]
		if !g.Write {
			continue
		}
		if !g.Dir {
			return fmt.Errorf("--overlay: %s is a file: grant its directory", g.Path)
		}
		if inner := b.Box.InnerOf(g.Path); inner != "" {
			return fmt.Errorf("--overlay: %s lies in %s: grant one of them", inner, g.Path)
		}
		l, err := layer.Copy(b.Places.Layers, b.Box.ID, i, g.Path, b.Box.Hides)
		if err != nil {
			return errors.Join(fmt.Errorf("--overlay: %w", err), layer.Discard(b.Places.Layers, b.Box.ID))
		}
		g.From = l.Tree()
		b.copied = true
	}
	var err error
	b.was, err = look(&b.Box)
	return err
}

// uncopy takes the copies away of a command that was not started.
func (b *box) uncopy() error {
	if !b.copied {
		return nil
	}
	return layer.Discard(b.Places.Layers, b.Box.ID)
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

func (b *box) write() error {
	if b.Box.Named() {
		b.Box.Resolv = b.place.path("resolv.conf")
		if err := os.WriteFile(b.Box.Resolv, []byte(sandbox.ResolvConf), 0o644); err != nil { //nolint:gosec // the command reads it
			return err
		}
	}
	if err := skeleton(b.place.path("rootfs"), &b.Box); err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	spec, err := json.Marshal(b.Box.Spec())
	if err != nil {
		return err
	}
	policy, err := b.Box.Policy(b.Profile)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(b.place.path("config.json"), spec, 0o600), os.WriteFile(b.place.path("policy.yaml"), policy, 0o600))
}

// ours are variables that are not handed on to hatchdog. By the last four a service
// manager talks to its service: runc would hand that line into the box.
var ours = []string{"HATCHDOG_POLICY", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}

// call is a call of hatchdog under the policy of this run.
func (b *box) call(args ...string) *exec.Cmd {
	cmd := exec.Command(b.Hatchdog, append([]string{"--root", b.Places.Runtime}, args...)...)
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); !slices.Contains(ours, name) {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "HATCHDOG_POLICY="+strings.Join(append([]string{b.place.path("policy.yaml")}, b.Policy...), ":"))
	return cmd
}

func (b *box) create() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	b.line = os.NewFile(uintptr(pair[0]), "line")
	theirs := os.NewFile(uintptr(pair[1]), "line")
	defer theirs.Close()
	cmd := b.call("create", "--bundle", b.place.dir, "--pid-file", b.place.path("pid"), "--preserve-fds", "1")
	if b.streams, err = open(b.Box.Terminal, b.place.path("console")); err != nil {
		return err
	}
	cmd.Args = append(append(cmd.Args, b.streams.flags...), b.Box.ID)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = b.streams.stdin, b.streams.stdout, b.streams.stderr
	cmd.ExtraFiles = []*os.File{theirs}
	b.created = true
	err = cmd.Run()
	b.streams.handedOver()
	if err != nil {
		if said := b.streams.said(); said != "" {
			return errors.New(said)
		}
		return fmt.Errorf("hatchdog create: %w", err)
	}
	data, err := os.ReadFile(b.place.path("pid"))
	if err != nil {
		return err
	}
	if b.pid, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
		return fmt.Errorf("pid: %w", err)
	}
	if b.pidfd, err = unix.PidfdOpen(b.pid, 0); err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	if !b.Box.Alone || len(b.Box.Held) > 0 { // else it has ours
		b.groups, err = groups(b.pid)
	}
	return err
}

var errNoRules = errors.New("the box has a way out, and no network rules")

func (b *box) start() error {
	var said bytes.Buffer
	cmd := b.call("start", b.Box.ID)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hatchdog start: %w: %s", err, strings.TrimSpace(said.String()))
	}
	if b.way != nil {
		// They are there since start: with a way out, nothing runs without them.
		if r, err := firewall.Read(b.net); err != nil || len(r.Layers) == 0 {
			return errors.Join(errNoRules, err)
		}
	}
	if err := b.streams.attach(b.Stdin); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return json.NewEncoder(b.line).Encode(order{Secrets: b.Secrets, Data: b.Box.Data()})
}

// end takes all away. It is done whatever came before.
func (b *box) end() error {
	var errs []error
	if b.streams != nil {
		errs = append(errs, b.streams.close())
	}
	if b.line != nil {
		b.line.Close()
	}
	if b.pidfd >= 0 {
		_ = unix.PidfdSendSignal(b.pidfd, unix.SIGKILL, nil, 0)
		_ = unix.Close(b.pidfd)
	}
	errs = append(errs, b.way.close(), b.watch.close())
	if b.net >= 0 {
		firewall.Close(b.net)
	}
	if b.created {
		errs = append(errs, b.delete())
	}
	errs = append(errs, dropAll(b.standins))
	if b.place != nil {
		errs = append(errs, b.place.remove())
	}
	return errors.Join(errs...)
}

// delete takes the container away. With --force a low-level runtime waits for what it
// kills, runc 100 ms at least (its delete.go): nothing has to be killed where the first
// process has ended.
func (b *box) delete() error {
	if b.over && b.call("delete", b.Box.ID).Run() == nil {
		return nil
	}
	var said bytes.Buffer
	cmd := b.call("delete", "--force", b.Box.ID)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hatchdog delete: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return nil
}

// forget takes away what a run left whose process was killed.
func forget(r *Request, p *place) {
	gone := *r
	gone.Box.ID = filepath.Base(p.dir)
	b := &box{Request: &gone, place: p}
	if err := b.delete(); err != nil {
		if _, there := os.Lstat(filepath.Join(r.Places.Runtime, gone.Box.ID)); there == nil {
			_ = p.lock.Close() // the next run may
			return
		}
	}
	_ = dropListed(p)
	_ = p.remove()
}
