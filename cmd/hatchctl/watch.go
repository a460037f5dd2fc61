package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// How often is looked at what tells nothing by itself.
const (
	lookEvery  = 2 * time.Second // processes, counters
	listEvery  = time.Second     // containers
	slowEvery  = 5 * time.Second // containers beside, and the mark that the watch is there
	lookMost   = 5 * time.Second // however long a look takes
	costShares = 20              // a look may take one in so many of the time
)

type watchOptions struct {
	asJSON  bool
	noCalls bool
	during  time.Duration
	enforce []string
}

func watchCommand(o *options) *cobra.Command {
	var w watchOptions
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Tell what containers do that they should not, and answer it",
		Long: `Tell what containers do that they should not, each event once, as a line on standard
output and as an event of the audit log; and answer as the section detect of the
container's profile says: freeze, isolate, capture, kill.

It is judged by each container's own record: there is nothing to tune. At its start
it says which evidence this host gives, and which detections are off for lack of it.
No container needs it to start, to run or to stop. One watch runs at a time.

Each call's end is looked at, of all processes of the host: --no-calls leaves that
out, with the detections that come from it.`,
		Example: "  hatchctl watch\n  hatchctl watch --json\n  hatchctl watch --no-calls --enforced production",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if w.during > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, w.during)
				defer cancel()
			}
			return o.watch(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), w)
		},
	}
	cmd.Flags().BoolVar(&w.asJSON, "json", false, "print alerts as JSON Lines")
	cmd.Flags().BoolVar(&w.noCalls, "no-calls", false, "do not look at calls")
	cmd.Flags().DurationVar(&w.during, "for", 0, "watch for so long (default: until it is interrupted)")
	cmd.Flags().StringSliceVar(&w.enforce, "enforced", nil, "namespaces of pods in which each container has to run under hatchdog; those that a rule of the policy names are too")
	return cmd
}

// watcher is one watch.
type watcher struct {
	watchOptions
	o         *options
	out, errs io.Writer
	audit     policy.Audit
	host      watch.Host
	probe     *probe.Watch // nil where the kernel tells nothing
	off       []string
	ledger    watch.Ledger

	all     map[string]*watched
	bySpace map[uint32][]*watched
	unknown map[uint32]time.Time // pid namespaces that are no container's of ours
	ignored map[uint32]time.Time
	failing map[string]time.Time // containers that could not be read, since when
	listed  time.Time
	lost    uint64

	files   *watch.FileWatch // nil where fanotify is not to be had
	holding *holding
	sights  chan timed
	written chan watch.Written
	looked  chan look
	done    chan finished
	running int // jobs
	do      doing
}

type timed struct {
	probe.Sight
	at time.Time
}

// look is what one look at all containers saw.
type look struct {
	seen  []watch.Seen
	began time.Time
	took  time.Duration
}

// watched is a container with what is remembered of it.
type watched struct {
	*watch.Container
	dropped watch.Dropped
	lost    uint64
	answers
}

var errWatched = errors.New("another watch runs on this host")

func (o *options) watch(ctx context.Context, out, errs io.Writer, opts watchOptions) error {
	pol, err := o.policy()
	if err != nil {
		return err
	}
	w := &watcher{
		watchOptions: opts, o: o, out: out, errs: errs, audit: pol.Audit,
		all: map[string]*watched{}, bySpace: map[uint32][]*watched{}, unknown: map[uint32]time.Time{}, ignored: map[uint32]time.Time{}, failing: map[string]time.Time{},
		sights: make(chan timed, 1024), written: make(chan watch.Written, 64), looked: make(chan look), done: make(chan finished), do: doing{freezeAll, isolateInTime, killAll},
	}
	for _, rule := range pol.Rules {
		if ns := rule.Match.Namespace; ns != "" && !strings.Contains(ns, "*") {
			w.enforce = append(w.enforce, ns)
		}
	}
	mark, err := o.openMark()
	if err != nil {
		return err
	}
	defer mark.close()
	w.holding = newHolding(o)
	if l, err := w.holding.listen(); err != nil {
		w.off = append(w.off, "holding containers from their start: "+err.Error())
	} else {
		defer l.Close() //nolint:errcheck // it ends with us
	}
	if w.host, err = watch.ReadHost(); err != nil {
		return err
	}
	w.begin()
	w.beginFiles(pol.Files)
	if w.probe != nil {
		defer func() { _ = w.probe.Close() }()
	}
	w.list(time.Now())
	small()
	w.say(mark)
	return w.run(ctx, mark)
}

// small gives back what the beginning took, such as the kernel's types, and keeps the
// heap near what is in use: a watch is there for long and does little.
func small() {
	const percent = 40
	debug.SetGCPercent(percent)
	debug.FreeOSMemory()
	_ = dropProgram()
}

// begin has the kernel tell.
func (w *watcher) begin() {
	p, err := probe.StartWatch(!w.noCalls)
	if err != nil && !w.noCalls {
		w.off = append(w.off, "calls, kernel, sockets, trace: "+err.Error())
		p, err = probe.StartWatch(false)
	} else if w.noCalls {
		w.off = append(w.off, "calls, kernel, sockets, trace: --no-calls")
	}
	if err != nil {
		w.off = append(w.off, "drift, setuid: "+err.Error())
		return
	}
	w.probe = p
	if !p.Capabilities {
		w.off = append(w.off, "capabilities at their use: this kernel has no tracepoint cap_capable; the sets of processes are looked at")
	}
	go func() {
		for {
			s, ok, err := p.Read()
			if err != nil || !ok {
				return
			}
			w.sights <- timed{s, time.Now()}
		}
	}()
}

// say tells what is watched, and what is not.
func (w *watcher) say(m *mark) {
	from := []string{watch.FromProc, watch.FromRules, watch.FromState}
	if w.probe != nil {
		from = append(from, watch.FromExec)
		if w.probe.Capabilities {
			from = append(from, watch.FromCap)
		}
		if w.probe.Calls != "" {
			from = append(from, w.probe.Calls)
		}
	}
	if w.files != nil {
		from = append(from, watch.FromFiles)
	}
	fmt.Fprintf(w.errs, "hatchctl: %d containers are watched; evidence: %s\n", len(w.all), strings.Join(from, ", "))
	if w.probe != nil && w.probe.Dear != nil {
		fmt.Fprintln(w.errs, "hatchctl: each call of the host takes a little longer: this kernel does not let the functions of calls be looked at:", harmless(cause(w.probe.Dear)))
	}
	for _, o := range w.off {
		fmt.Fprintln(w.errs, "hatchctl: off:", harmless(o))
	}
	for _, c := range w.all {
		if c.Spaces["pid"] == w.host.Spaces["pid"] {
			fmt.Fprintf(w.errs, "hatchctl: off for %s: it shares the host's pid namespace; what the kernel tells is not told of it\n", shortID(c.Entry.ID))
		}
	}
	if !m.last.IsZero() {
		w.tell(nil, watch.Unseen(m.last, time.Now(), len(w.all)), time.Now())
	}
}

func (w *watcher) run(ctx context.Context, m *mark) error {
	list, slow := time.NewTicker(listEvery), time.NewTicker(slowEvery)
	defer list.Stop()
	defer slow.Stop()
	go w.looks(ctx, w.lookedAt(), 0)
	for {
		select {
		case <-ctx.Done():
			m.touch()
			w.end()
			return nil
		case s := <-w.sights:
			w.sight(s)
		case l := <-w.looked:
			w.lookedAtAll(ctx, l)
		case one := <-w.written:
			if c := watch.Whose(w.bare(), one.Pid); c != nil && one.There() {
				w.tell(w.all[c.Key()], c.Changed(one), time.Now())
			}
		case b := <-w.holding.refused:
			if c := w.heldBack(b); c != nil {
				w.tell(c, c.Refused(b.Refused), b.Began)
			}
		case f := <-w.done:
			w.finish(f)
		case now := <-list.C:
			w.list(now)
			w.losses()
		case <-slow.C:
			m.touch()
			w.besides()
		}
	}
}

// cause is what the kernel said, where it said something: what a library advises about
// it may not be so.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// lookedAtAll tells what a look saw, and has the next one begin.
func (w *watcher) lookedAtAll(ctx context.Context, l look) {
	for _, s := range l.seen {
		if c := w.all[s.Key()]; c != nil && c.Init == s.Init { // it may have been started again
			w.tell(c, s.Finding, l.began)
		}
	}
	go w.looks(ctx, w.lookedAt(), min(lookMost, max(lookEvery, costShares*l.took)))
}

// losses tells of events that found no room.
func (w *watcher) losses() {
	now := time.Now()
	if w.files != nil {
		if n := w.files.Lost(); n > 0 {
			w.tell(nil, watch.LostOfAll(n), now)
		}
	}
	if n := w.holding.untold(); n > 0 {
		w.tell(nil, watch.UntoldRefusals(n), now)
	}
	if w.probe != nil {
		w.lossesOfCalls(now)
	}
	for _, c := range w.all {
		if n := w.ledger.Untold(c.Key()); n > 0 {
			w.tell(c, watch.Flooded(n, watch.FromState, "alerts"), now)
		}
	}
}

// lossesOfCalls tells of those that the kernel's probe has.
func (w *watcher) lossesOfCalls(now time.Time) {
	if n := w.probe.LostOfAll(); n > w.lost {
		w.tell(nil, watch.LostOfAll(n-w.lost), now)
		w.lost = n
	}
	for _, c := range w.all {
		if n := w.probe.Lost(c.Spaces["pid"]); n > c.lost {
			w.tell(c, watch.Flooded(n-c.lost, watch.FromCalls, "events"), now)
			c.lost = n
		}
	}
}

// besides tells of containers of enforced namespaces that run without hatchdog.
func (w *watcher) besides() {
	if len(w.enforce) == 0 {
		return
	}
	known, err := w.o.store().Known()
	if err != nil {
		return
	}
	for _, r := range beside(runtimeRoots("/run"), taskDirsBelow("/run"), known) {
		for _, ns := range w.enforce {
			if strings.HasPrefix(r.Name, ns+"/") {
				w.tell(nil, watch.RunsBeside(r.ID, r.Name, r.Runtime), time.Now())
			}
		}
	}
}
