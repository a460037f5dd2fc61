package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/hatchdog/hatchdog/internal/plain"
)

// runInput is a request of the tool run.
type runInput struct {
	Command   []string `json:"command" jsonschema:"the program and its arguments"`
	Directory string   `json:"directory,omitempty" jsonschema:"where it starts, below a directory that the command sees"`
	Stdin     string   `json:"stdin,omitempty"`
	narrowing
}

// runResult is what became of a command.
type runResult struct {
	Name    string       `json:"name" jsonschema:"for why, diff and apply"`
	Code    int          `json:"code" jsonschema:"the exit code: the command's, or 121 output, 122 memory, 124 time, 126 and 127 not started"`
	Ended   string       `json:"ended,omitempty" jsonschema:"time, output, memory, changed or cancelled, where the command did not end by itself"`
	Stdout  string       `json:"stdout" jsonschema:"control characters are written as escapes"`
	Stderr  string       `json:"stderr"`
	Cut     int64        `json:"cut,omitempty" jsonschema:"bytes left out of the middle of stdout and stderr"`
	Took    int64        `json:"took" jsonschema:"milliseconds"`
	Denied  int          `json:"denied" jsonschema:"kinds of things that it did not get: see why"`
	Changes *eventChange `json:"changes,omitempty" jsonschema:"with overlay: what waits to be applied"`
}

// ranBox is what is kept of a run.
type ranBox struct {
	result  runResult
	denied  []lack
	unseen  []string
	waits   bool   // changes do
	cancel  func() // nil when it is over
	failure string
}

// rememberedRuns bounds what is kept of runs.
const rememberedRuns = 64

var (
	errBusy    = errors.New("as many commands run as the user allows at once (--runs)")
	errUnknown = errors.New("no command of this session has that name")
)

// killPatience is how long a run may take to end when it is to.
const killPatience = 20 * time.Second

func (k *keeper) toolRun(ctx context.Context, _ *mcp.CallToolRequest, in runInput) (*mcp.CallToolResult, runResult, error) {
	none := runResult{}
	if err := runnable(in.Command); err != nil {
		return nil, none, err
	}
	text, err := in.text(k.ceiling)
	if err != nil {
		return nil, none, err
	}
	args := slices.Clone(k.args)
	if in.Directory != "" {
		dir, err := within(k.ceiling.Cwd, in.Directory)
		if err != nil {
			return nil, none, fmt.Errorf("directory: %w", err)
		}
		args = append(args, "--workdir="+dir)
	}
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	default:
		return nil, none, errBusy
	}
	var some [6]byte
	if _, err := rand.Read(some[:]); err != nil {
		return nil, none, err
	}
	name := "mcp-" + hex.EncodeToString(some[:])
	args = append(args, "--name="+name, "--json-events=3", "--until-fd=4", "--narrow-fd=5", "--")
	ran, err := k.start(ctx, name, append(args, in.Command...), text, in.Stdin)
	if err != nil {
		return nil, none, err
	}
	if ran.failure != "" {
		return nil, none, errors.New(plain.Text(ran.failure))
	}
	return nil, ran.result, nil
}

// start runs ourselves as `hatchctl run`, and waits for it. It hands over
// descriptors: for the events, for the end, for what narrows the run.
func (k *keeper) start(ctx context.Context, name string, args []string, text []byte, stdin string) (*ranBox, error) {
	ends, err := threePipes()
	if err != nil {
		return nil, err
	}
	defer ends.close()
	events, told := ends[0][0], ends[0][1]
	until, hold := ends[1][0], ends[1][1]
	narrow, say := ends[2][0], ends[2][1]
	cmd := exec.Command(k.program, args...)
	cmd.ExtraFiles = []*os.File{told, until, narrow}
	cmd.Stdin = strings.NewReader(stdin)
	out, errs := &middle{}, &middle{}
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.WaitDelay = time.Second
	let := sync.OnceFunc(func() { _ = hold.Close() })
	ran := &ranBox{cancel: let}
	if !k.keep(name, ran) {
		return nil, context.Canceled
	}
	defer k.all.Done()
	if err := cmd.Start(); err != nil {
		return nil, k.over(name, fmt.Errorf("hatchctl run: %w", err))
	}
	for _, f := range []*os.File{told, until, narrow} {
		_ = f.Close() // they are the run's
	}
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-ctx.Done():
			let()
		case <-over:
		}
	}()
	if _, err := say.Write(text); err != nil {
		let()
	}
	_ = say.Close()
	heard := make(chan struct{})
	go func() {
		ran.hear(events)
		close(heard)
	}()
	waited := wait(ctx, cmd)
	<-heard
	r := &ran.result
	r.Name, r.Stdout, r.Stderr, r.Cut = name, plain.Text(out.String()), plain.Text(errs.String()), out.cut+errs.cut
	var exit *exec.ExitError
	switch {
	case errors.As(waited, &exit) && exit.ExitCode() >= 0 || waited == nil || errors.Is(waited, exec.ErrWaitDelay):
		r.Code = cmp.Or(r.Code, cmd.ProcessState.ExitCode())
	default:
		return nil, k.over(name, fmt.Errorf("hatchctl run: %w", waited))
	}
	return ran, k.over(name, ctx.Err())
}

// wait waits for a run, and kills one that was let go and does not end.
func wait(ctx context.Context, cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(killPatience):
		_ = cmd.Process.Kill()
		return <-ended
	}
}

// hear reads the events of a run.
func (r *ranBox) hear(from io.Reader) {
	dec := json.NewDecoder(from)
	for {
		var one struct {
			Event   string `json:"event"`
			Message string `json:"message"`
			Code    int    `json:"code"`
			Ended   string `json:"ended"`
			Took    int64  `json:"took"`
			Unseen  []string
			lack
			eventChange
		}
		if dec.Decode(&one) != nil {
			return
		}
		switch one.Event {
		case eventDenied:
			r.denied = append(r.denied, one.lack)
		case eventChanges:
			r.result.Changes, r.waits = &one.eventChange, one.Paths > 0
		case eventEnded:
			r.result.Code, r.result.Ended, r.result.Took, r.result.Denied, r.unseen = one.Code, one.Ended, one.Took, len(r.denied), one.Unseen
		case eventFailed:
			r.failure = one.Message
		}
	}
}

// pipes are read and write ends.
type pipes [][2]*os.File

func threePipes() (pipes, error) {
	var all pipes
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, [2]*os.File{r, w})
	}
	return all, nil
}

func (p pipes) close() {
	for _, ends := range p {
		for _, f := range ends {
			_ = f.Close() // most are
		}
	}
}
