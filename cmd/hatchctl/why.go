package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/why"
)

// The exit codes of why.
const (
	whyHatchdog     = 1
	whyUndetermined = 2
)

// whyOptions are what a question may say beside its target.
type whyOptions struct {
	asJSON, try, live bool
	user, use         string
	during            time.Duration
	command           []string
}

const whyHelp = `Show who stops a container from what fails: hatchdog, another layer (which it
names), or undetermined. It stops, starts and changes nothing.

A target is a system call (with the numbers that are its arguments), a path in
the container, a host or an address to reach, a port to listen on, or a
capability (CAP_NET_RAW or NET_RAW). Without one, it tells the limits that the
container ran into and the packets that its rules dropped, as the kernel counted
them. It asks about a path and about a network for the container's first process.

With --live it watches the system calls of the container that fail, until
interrupted or for as long as --during says, and explains each; with a COMMAND
behind --, for as long as that runs. A BPF program watches, and ends with hatchctl;
hatchctl listens to the kernel's audit records where there is no BPF.

If hatchdog stops it, it prints the smallest policy that lets it through, tried
against the request, and what an attacker would have of it.

It sends no packet, except for a HOST that is a name, which it looks up as the
container would, and with --try. It looks a container that is gone up in the audit
log.

` + nameHelp + `
Exit code 0: hatchdog does not stop it, another layer does; or there is nothing to
tell. 1: hatchdog stops it. 2: it cannot be determined.`

func whyCommand(o *options) *cobra.Command {
	var w whyOptions
	cmd := &cobra.Command{
		Use:   "why CONTAINER [CALL [ARGUMENT ...] | PATH | HOST[:PORT][/PROTOCOL] | :PORT | CAPABILITY | -- COMMAND]",
		Short: "Show who stops a container from what fails: hatchdog, another layer, or neither",
		Long:  whyHelp,
		Example: `  hatchctl why web
  hatchctl why web mount
  hatchctl why web clone 0x10000000
  hatchctl why web /etc/shadow --for write
  hatchctl why web db.example.org:5432 --try
  hatchctl why web :80
  hatchctl why web CAP_NET_RAW
  hatchctl why web --live --during 10s
  hatchctl why web -- docker exec web ls /data`,
		Args:              w.arguments,
		ValidArgsFunction: o.completeWhy,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.subject(args[0], w)
			if err != nil {
				return err
			}
			defer s.close()
			if s.served() && !isApart() && !w.live && len(w.command) == 0 {
				return askApart(cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			found, err := s.answer(cmd, args[1:], w)
			if err != nil {
				return err
			}
			for i := range found {
				s.suggest(&found[i])
			}
			if w.asJSON {
				err = printJSON(cmd.OutOrStdout(), whyAnswer{ID: s.d.ID, Name: s.d.Workload.Called(), Running: s.c.Process != nil, Findings: found})
			} else {
				s.print(cmd.OutOrStdout(), found)
			}
			return errors.Join(err, whyCode(found))
		},
	}
	cmd.Flags().BoolVar(&w.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&w.try, "try", false, "open a connection from the container's network, and close it")
	cmd.Flags().BoolVar(&w.live, "live", false, "watch the calls that fail from now on")
	cmd.Flags().DurationVar(&w.during, "during", 0, "how long to watch (default: until interrupted)")
	cmd.Flags().StringVar(&w.user, "user", "", "ask for UID[:GID] of the container instead of its first process's user")
	cmd.Flags().StringVar(&w.use, "for", "", "what a path is wanted for: read, write or execute (default: what fails first of read and write)")
	return cmd
}

// arguments takes a target, or a command behind --.
func (w *whyOptions) arguments(cmd *cobra.Command, args []string) error {
	if dash := cmd.ArgsLenAtDash(); dash >= 0 && dash < len(args) {
		w.command = args[dash:]
		return between(1, 1)(cmd, args[:dash])
	}
	if w.live {
		return between(1, 1)(cmd, args)
	}
	return between(1, 8)(cmd, args)
}

// answer asks the record and the kernel, or watches.
func (s *subject) answer(cmd *cobra.Command, target []string, w whyOptions) ([]why.Finding, error) {
	if len(w.command) > 0 || w.live {
		return s.watch(cmd, w)
	}
	return s.ask(cmd, target, w)
}

// whyAnswer is the form of --json.
type whyAnswer struct {
	ID       string        `json:"id"`
	Name     string        `json:"name,omitempty"`
	Running  bool          `json:"running"`
	Findings []why.Finding `json:"findings"`
}

// whyCode is the gravest of the answers.
func whyCode(found []why.Finding) error {
	code := 0
	for _, f := range found {
		switch f.Verdict {
		case why.Hatchdog:
			return exitError(whyHatchdog)
		case why.Undetermined:
			code = whyUndetermined
		}
	}
	if code == 0 {
		return nil
	}
	return exitError(code)
}

// completeWhy offers containers, then capabilities, calls and flags' words.
func (o *options) completeWhy(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return o.completeNames(cmd, args, start)
	}
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, word := range slices.Concat(capabilityNames(), callNames()) {
		if strings.HasPrefix(word, start) {
			all = append(all, word)
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

func (s *subject) print(w io.Writer, found []why.Finding) {
	fmt.Fprintf(w, "%s\n", called(s.d.ID, s.d.Workload))
	for _, n := range s.notes {
		fmt.Fprintf(w, "  note     %s\n", harmless(n))
	}
	if len(found) == 0 {
		fmt.Fprintln(w, "\nnothing is on record that the kernel or hatchdog stopped: name what fails")
	}
	for _, f := range found {
		fmt.Fprintf(w, "\n%s\n", harmless(f.What))
		verdict := string(f.Verdict)
		if f.Layer != "" {
			verdict += ": " + f.Layer
		}
		fmt.Fprintf(w, "  verdict  %s\n  why      %s\n", harmless(verdict), harmless(f.Why))
		for _, row := range [][2]string{{"policy", f.Policy}, {"gain", f.Gain}, {"remedy", f.Remedy}} {
			if row[1] != "" {
				fmt.Fprintf(w, "  %-7s  %s\n", row[0], harmless(row[1]))
			}
		}
		for _, e := range f.Evidence {
			fmt.Fprintf(w, "  seen     %s\n", harmless(e))
		}
		if f.Allow != "" {
			fmt.Fprintf(w, "\nThe smallest policy that lets it through:\n\n%s", f.Allow)
		}
	}
}

// parseUser reads UID[:GID].
func parseUser(text string) (*why.User, error) {
	uid, gid, both := strings.Cut(text, ":")
	u, err := strconv.ParseUint(uid, 10, 32)
	g := u
	if both && err == nil {
		g, err = strconv.ParseUint(gid, 10, 32)
	}
	if err != nil {
		return nil, fmt.Errorf("--user %q: want UID or UID:GID, in numbers", text)
	}
	return &why.User{UID: uint32(u), GID: uint32(g)}, nil
}

// gain is what an attacker would have of all that is granted.
func gain(f why.Finding) string {
	var words []string
	for _, g := range f.Grants {
		if w := g.Key + ": " + explain.WiseGrant(g); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, "; ")
}
