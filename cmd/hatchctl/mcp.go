package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// mcpLine bounds one request, in bytes.
const mcpLine = 4 << 20

// keeper serves one client. Nothing that the client asks for widens the ceiling:
// the flags that the user started it with.
type keeper struct {
	o          *options
	flags      *runFlags
	ceiling    *sandbox.Box // what the flags give
	homes      []string     // of the host
	layers     string       // where copies are kept
	program    string       // ours
	args       []string     // of each run, up to what the request narrows
	overlay    bool
	allowApply bool
	slots      chan struct{} // one for each run that may go on at once
	slow       sync.Mutex    // what reads whole directories goes one after the other

	mu      sync.Mutex
	results map[string]*ranBox // nil when the session is over
	left    map[string]*ranBox // then
	names   []string           // the oldest first
	all     sync.WaitGroup
}

func mcpCommand(o *options) *cobra.Command {
	f := &runFlags{report: "none", preset: "none"}
	k := &keeper{o: o, flags: f, results: map[string]*ranBox{}}
	var atOnce int
	cmd := &cobra.Command{
		Use:   "mcp [flags]",
		Short: "Let a coding agent run commands in boxes, over the Model Context Protocol",
		Long: `Serve the Model Context Protocol on standard input and output, with the tools run,
explain, why, diff and apply.

The flags are those of 'hatchctl run', and the most that a request can get: a
request names fewer directories and destinations and lower limits, never more.
The working directory is the one of this command. When the client cancels a
request, goes, or ends this command, its boxes are killed.

Nothing is written into a directory by the tool apply without --allow-apply, and
what is marked (.vscode, .github, links that lead out) is not even then.`,
		Example: `  hatchctl mcp --rw . --overlay --preset agent
  hatchctl mcp --rw . --preset npm --allow registries --time 10m`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if atOnce < 1 || atOnce > 64 {
				return usageError(cmd, "--runs is 1 to 64")
			}
			k.slots = make(chan struct{}, atOnce)
			if err := f.usePreset(cmd.Flags().Changed); err != nil {
				return usageError(cmd, "%v", err)
			}
			if err := k.prepare(cmd.Flags()); err != nil {
				return err
			}
			return k.serve(cmd.Context(), os.Stdin, os.Stdout, cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	f.addBox(flags)
	f.addPlaces(flags)
	flags.BoolVar(&k.allowApply, "allow-apply", false, "let the client write into the directories what a run with --overlay changed")
	flags.IntVar(&atOnce, "runs", 4, "how many commands may run at once; each has all the limits")
	return cmd
}

// serve answers until the client goes or a signal ends it, and leaves no box.
func (k *keeper) serve(ctx context.Context, in io.ReadCloser, out io.Writer, errs io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	defer context.AfterFunc(ctx, k.cancelAll)()
	server := mcp.NewServer(&mcp.Implementation{Name: "hatchctl", Version: version}, &mcp.ServerOptions{
		Capabilities: &mcp.ServerCapabilities{},
		Instructions: "run runs a command in a box: it sees the programs of this system and the listed directories alone. explain tells what a command gets, why what a command did not get. With overlay, diff shows what a command changed, and apply writes it into the directory if the user allows that.",
	})
	k.tools(server)
	err := server.Run(ctx, &mcp.IOTransport{Reader: &attended{in, k.cancelAll}, Writer: unclosed{plain.Writer(out)}, MaxLineLength: mcpLine})
	stop()
	k.cancelAll()
	k.all.Wait()
	for _, name := range k.waiting() {
		where := ""
		if k.flags.boxDir != "" {
			where = " --box-dir=" + k.flags.boxDir
		}
		fmt.Fprintf(errs, "hatchctl: changes wait: hatchctl run%s diff %s, then apply or discard\n", where, name)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// attended tells when there is no more to read: the client has gone. The library
// waits for what it asked.
type attended struct {
	io.ReadCloser
	gone func()
}

func (a *attended) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil {
		a.gone()
	}
	return n, err
}

// unclosed is standard output, which is not ours to close.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// tools are what a client can ask for.
func (k *keeper) tools(s *mcp.Server) {
	no := false
	reads := &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: &no}
	mcp.AddTool(s, &mcp.Tool{
		Name:        "run",
		Description: "Run a command in a box and return its output and exit code. Arguments narrow what the user allows: fewer directories to write to (rw), fewer destinations (allow), lower limits. There is no shell unless the command names one (sh -c).",
		Annotations: &mcp.ToolAnnotations{DestructiveHint: &no},
	}, k.toolRun)
	mcp.AddTool(s, &mcp.Tool{
		Name:        "explain",
		Description: "Tell what a command in a box gets: directories, destinations, limits, hidden and read-only paths.",
		Annotations: reads,
	}, k.toolExplain)
	mcp.AddTool(s, &mcp.Tool{
		Name:        "why",
		Description: "Tell what a command that has run did not get, the worst first, and the flag of hatchctl with which the user would grant it. The flag cannot be had over this protocol.",
		Annotations: reads,
	}, k.toolWhy)
	mcp.AddTool(s, &mcp.Tool{
		Name:        "diff",
		Description: "Show what a command that ran with overlay changed.",
		Annotations: reads,
	}, k.toolDiff)
	mcp.AddTool(s, &mcp.Tool{
		Name:        "apply",
		Description: "Write what a command that ran with overlay changed into its directory, or forget it (discard). The user must have started hatchctl with --allow-apply to write.",
		Annotations: &mcp.ToolAnnotations{OpenWorldHint: &no},
	}, k.toolApply)
}
