package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/sandbox/layer"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
)

// eventsVersion is that of the lines of --json-events. Keys are added under one
// version; one that goes or means something else makes a new one.
const eventsVersion = 1

// event is one line. The fields behind the first three are those of its kind.
type event struct {
	Version int       `json:"v"`
	Event   string    `json:"event"`
	Time    time.Time `json:"time"`
	Name    string    `json:"name,omitempty"`
	*eventStart
	*lack        // denied
	*eventChange // changes
	*eventEnd
	Message string `json:"message,omitempty"` // failed
}

// The kinds of events, in the order in which a run has them.
const (
	eventStarted = "start"
	eventDenied  = "denied"
	eventChanges = "changes"
	eventEnded   = "end"
	eventFailed  = "failed" // in place of all others: the box was not made, or not held
)

// eventStart tells what the command was given.
type eventStart struct {
	Command   []string     `json:"command"`
	Directory string       `json:"directory"`
	Grants    []eventGrant `json:"grants"`
	Allow     []string     `json:"allow"`
	Limits    eventLimits  `json:"limits"`
	Exec      bool         `json:"exec"`
	Overlay   bool         `json:"overlay"`
	Hidden    int          `json:"hidden"` // paths in what was granted
	Kept      int          `json:"kept"`   // paths in what can be written to that cannot be
}

type eventGrant struct {
	Path  string `json:"path"`
	Write bool   `json:"write"`
}

// eventLimits are in processes, bytes, CPUs and milliseconds; 0 is none.
type eventLimits struct {
	Pids   int64   `json:"pids"`
	Memory int64   `json:"memory"`
	CPU    float64 `json:"cpu"`
	Time   int64   `json:"time"`
	Output int64   `json:"output"`
	Tmp    int64   `json:"tmp"`
}

// eventChange tells what a run with --overlay left to apply.
type eventChange struct {
	Paths  int `json:"paths"`
	Marked int `json:"marked"`
}

func (e *eventChange) add(changes []layer.Change) {
	e.Paths += len(changes)
	for _, c := range changes {
		if c.Marked != "" {
			e.Marked++
		}
	}
}

type eventEnd struct {
	Code    int      `json:"code"`
	Ended   string   `json:"ended,omitempty"` // as in the report
	Changed string   `json:"changed,omitempty"`
	Took    int64    `json:"took"` // milliseconds
	Unseen  []string `json:"unseen"`
}

// named sets the name of the run, which is known when its flags were read.
func (e *events) named(name string) {
	if e != nil {
		e.name = name
	}
}

// events is where they go; nil is nowhere.
type events struct {
	to   io.Writer
	name string
}

func (e *events) write(one event) error {
	if e == nil {
		return nil
	}
	one.Version, one.Time, one.Name = eventsVersion, time.Now().UTC(), e.name
	return json.NewEncoder(plain.Writer(e.to)).Encode(one)
}

func (e *events) started(r *run.Request) error {
	l := r.Box.Limits
	s := &eventStart{
		Command: r.Box.Args, Directory: r.Box.Workdir(), Grants: []eventGrant{}, Allow: append([]string{}, r.Box.Allow...),
		Limits: eventLimits{l.Pids, l.Memory, l.CPU, l.Time.Milliseconds(), l.Output, l.Tmp},
		Exec:   r.Box.Exec, Overlay: r.Overlay, Hidden: len(r.Box.Found.Hidden), Kept: len(r.Box.Found.Kept),
	}
	for _, g := range r.Box.Grants {
		s.Grants = append(s.Grants, eventGrant{g.Path, g.Write})
	}
	return e.write(event{Event: eventStarted, eventStart: s})
}

// ended writes what is left to say when a run is over.
func (e *events) ended(rep runReport, changed *eventChange) error {
	for i := range rep.Denied {
		if err := e.write(event{Event: eventDenied, lack: &rep.Denied[i]}); err != nil {
			return err
		}
	}
	if changed != nil {
		if err := e.write(event{Event: eventChanges, eventChange: changed}); err != nil {
			return err
		}
	}
	return e.write(event{Event: eventEnded, eventEnd: &eventEnd{rep.Code, rep.Ended, rep.Changed, rep.took.Milliseconds(), rep.Unseen}})
}

var (
	errDescriptor = errors.New("it is no descriptor that this process was given: 3 or more, a pipe, a socket or a file")
	errOneForBoth = errors.New("--json-events and --until-fd are two descriptors")
)

// given is a descriptor that our caller handed to us. Nothing that we start has it.
func given(number string, mode int) (*os.File, error) {
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%q: %w", number, errDescriptor)
	}
	unix.CloseOnExec(fd)
	var st unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || unix.Fstat(fd, &st) != nil {
		return nil, fmt.Errorf("%s: %w", number, errDescriptor)
	}
	kind := st.Mode & unix.S_IFMT
	if kind != unix.S_IFIFO && kind != unix.S_IFSOCK && kind != unix.S_IFREG || flags&unix.O_ACCMODE != mode && flags&unix.O_ACCMODE != unix.O_RDWR {
		return nil, fmt.Errorf("%s: %w", number, errDescriptor)
	}
	return os.NewFile(uintptr(fd), number), nil
}

// openEvents opens where --json-events says: a descriptor or a file.
func (f *runFlags) openEvents() (*events, error) {
	if f.events == "" {
		return nil, nil
	}
	if _, err := strconv.Atoi(f.events); err == nil {
		file, err := given(f.events, unix.O_WRONLY)
		return &events{to: file}, err
	}
	to, err := openReport(f.events)
	if err != nil {
		return nil, err
	}
	return &events{to: to.file}, to.empty()
}

// until is closed when the descriptor of --until-fd is at its end.
func (f *runFlags) until() (<-chan struct{}, error) {
	if f.untilFd == "" {
		return nil, nil
	}
	if f.untilFd == f.events {
		return nil, errOneForBoth
	}
	file, err := given(f.untilFd, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, file)
		close(over)
	}()
	return over, nil
}
