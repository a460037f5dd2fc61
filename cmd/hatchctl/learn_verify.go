package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	learning "github.com/hatchdog/hatchdog/internal/learn"
)

var errNothingSeen = errors.New("no container under hatchdog was seen: there is nothing to compare with")

// verifyDenies is the exit code of verify where something would be denied.
const verifyDenies = 1

func learnVerify(o *options) *cobra.Command {
	var grant []string
	var log bool
	cmd := &cobra.Command{
		Use: "verify NAME OTHER | NAME -- COMMAND ...", Short: "List what a learned profile would deny",
		Long: `List what the profile of a recording would deny of what another recording has, or of
what the containers do that appear while COMMAND runs. Their requests are judged as
in complain mode, whatever mode is in force: what the profile would refuse is listed,
and what it would tighten. Nothing is changed or denied by it: the
containers run under the policy that is in force. Where that is in complain mode they
run as asked, and all that they do is compared.

Exit code 0: nothing would be denied. 1: something would be denied or refused.`,
		Example: `  hatchctl learn verify web web-today
  hatchctl learn verify web -- docker run --rm --runtime=hatchdog web ./selftest`,
		ValidArgsFunction: o.completeRecordings,
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); dash >= 0 && dash < len(args) {
				return between(1, 1)(cmd, args[:dash])
			}
			return between(2, 2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.verifyLearned(cmd, args, grant, log) },
	}
	logFlag(cmd, &log)
	cmd.Flags().StringArrayVar(&grant, "grant", nil, "a capability or a system call beyond builtin/restricted that the profile grants")
	return cmd
}

func (o *options) verifyLearned(cmd *cobra.Command, args, grant []string, log bool) error {
	r := o.recordings()
	first, err := r.read(args[0])
	if err != nil {
		return err
	}
	p, w, err := learnedProfile(first, args[0], grant)
	if err != nil {
		return err
	}
	var requests *judged
	other := args[1]
	if cmd.ArgsLenAtDash() == 1 {
		if requests, err = o.judgeRequests(p); err != nil {
			return err
		}
		other = "verify-" + time.Now().UTC().Format("20060102-150405")
		if _, err := o.recordDuring(cmd, other, sought{pick: everyone, fresh: true, log: log, asked: requests.judge}, args[1:]); err != nil {
			return err
		}
		defer func() { _ = r.remove(other) }()
	}
	second, err := r.read(other)
	if err != nil {
		return err
	}
	if second.Runs == 0 {
		return errNothingSeen
	}
	refused := requests.tell(cmd.OutOrStdout())
	return tellDenied(cmd.OutOrStdout(), p, w, second, refused)
}

func tellDenied(out io.Writer, p *learning.Profile, w learning.Wish, d *learning.Data, refused bool) error {
	denied, err := p.Denied(d, w)
	if err != nil {
		return err
	}
	for _, l := range denied {
		fmt.Fprintf(out, "denies %s\n", harmless(l.String()))
	}
	for _, n := range d.Notes {
		fmt.Fprintf(out, "not seen: %s\n", harmless(n))
	}
	if len(denied) > 0 || refused {
		return exitError(verifyDenies)
	}
	fmt.Fprintf(out, "the profile denies nothing of %d runs\n", d.Runs)
	return nil
}
