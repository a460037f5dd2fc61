package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/layer"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
)

// runFlags are those of run, as they were given.
type runFlags struct {
	rw, ro, env, secret, allow []string
	name, report, reportFile   string
	memory, output, tmp        string
	pids                       int64
	cpu                        float64
	time                       time.Duration
	exec, overlay              bool
}

func runCommand(o *options) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command that sees the system, its directory and nothing else",
		Long: `Run a command in a box: a container without an image, under the profile
builtin/sandbox, or under a profile of your own with the name sandbox.

It sees the host's programs and libraries and the working directory, all
read-only, an empty home, and its own /tmp, /run, /proc and /dev. It has no
network, no capability, no user of the host, and of the environment only what
shows on a terminal. Keys, tokens, shell histories, .env files and the like are
masked in what is granted, and what the host would run later (.git/hooks,
.github, .vscode, start files of shells) stays as it is, also where it is not
there yet. The home directory, / and what the policy protects are not shown
because the command was called from there: name what it needs.

With --overlay it writes to a copy; 'hatchctl run apply' makes that count.

--allow takes addresses (192.0.2.7:443/tcp, 198.51.100.0/24:5432), not names: an
address that a name has now may be another's later.

Exit codes: the command's own (128 and the number of a signal that killed it);
121 it printed more than --output, 122 it was killed for want of memory, 124
--time was over, 125 the box was not made, 126 the command cannot be started,
127 it is not found. One line says so.`,
		Example: `  hatchctl run -- ./untrusted-script.sh
  hatchctl run --rw . --exec -- make test
  hatchctl run --ro ~/.gitconfig --secret API_TOKEN -- python3 fetch.py`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(cmd, "a command is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, f, args) },
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows the command is the command's
	flags.StringArrayVar(&f.rw, "rw", nil, "let it read and write this directory or file (repeatable)")
	flags.StringArrayVar(&f.ro, "ro", nil, "let it read this directory or file (repeatable)")
	flags.StringArrayVar(&f.env, "env", nil, "hand on this variable of the environment, or set it: NAME or NAME=VALUE (repeatable)")
	flags.StringArrayVar(&f.secret, "secret", nil, "hand on this variable as a file in memory, "+sandbox.Secrets+"/NAME (repeatable)")
	flags.StringSliceVar(&f.allow, "allow", nil, "let it reach ADDRESS[/BITS][:PORT[/PROTOCOL]] (repeatable)")
	flags.BoolVar(&f.exec, "exec", false, "let programs run that lie where it can write: what it builds, what it downloads")
	flags.BoolVar(&f.overlay, "overlay", false, "let it write to a copy of each --rw directory; show what changed, and apply it only with 'hatchctl run apply'")
	flags.StringVar(&f.memory, "memory", "512MiB", "memory, with what its file systems in memory hold")
	flags.Float64Var(&f.cpu, "cpu", 1, "CPUs")
	flags.Int64Var(&f.pids, "pids", 256, "processes and threads")
	flags.DurationVar(&f.time, "time", time.Hour, "how long it may take; 0 is as long as it likes")
	flags.StringVar(&f.output, "output", "64MiB", "how much it may print; 0 is as much as it likes")
	flags.StringVar(&f.tmp, "tmp", "64MiB", "size of each of its file systems in memory: home, /tmp, /var/tmp, /run")
	flags.StringVar(&f.name, "name", "", "its name for list, explain and net (default: run-, the command and a number)")
	flags.StringVar(&f.report, "report", "text", "what to print at the end on standard error: text (if there is something to say), json or none")
	flags.StringVar(&f.reportFile, "report-file", "", "write the report there instead")
	cmd.AddCommand(changesCommands()...)
	return cmd
}

var (
	errComplain = errors.New("the policy only records (mode: complain), so nothing would hold the command; run needs mode: enforce")
	errNames    = errors.New("--allow takes addresses, not names: an address that a name has now may be another's later")
	errRootless = errors.New("run needs root: without root hatchdog sets no ids aside, limits nothing and installs no network rules (sudo hatchctl run runs the command as you, not as root)")
)

func (o *options) run(cmd *cobra.Command, f *runFlags, args []string) error {
	r, err := o.request(f, args)
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl:", err)
		return exitError(run.CodeFailed)
	}
	var to *reportFile
	if f.reportFile != "" {
		if to, err = openReport(f.reportFile); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "hatchctl: --report-file %s: %v\n", f.reportFile, err)
			return exitError(run.CodeFailed)
		}
	}
	out, err := run.Run(r)
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl:", err)
		if out.Code == 0 {
			out.Code = run.CodeFailed
		}
	}
	if err == nil && f.overlay {
		if err := showLayers(cmd.ErrOrStderr(), r.Box.ID); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl: changes:", err)
			return exitError(run.CodeFailed)
		}
	}
	if err := report(cmd.ErrOrStderr(), f, to, r, out); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl: report:", err)
	}
	if out.Code == 0 {
		return nil
	}
	return exitError(out.Code)
}

// request is what the flags ask for.
func (o *options) request(f *runFlags, args []string) (*run.Request, error) {
	if os.Geteuid() != 0 {
		return nil, errRootless
	}
	p, err := o.policy()
	if err != nil {
		return nil, err
	}
	if p.Mode == policy.Complain {
		return nil, errComplain
	}
	r := &run.Request{Profile: "builtin/sandbox", Base: run.Base, Overlay: f.overlay, Layers: layer.Base, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if p.Profiles[sandbox.Own] != nil {
		r.Profile = sandbox.Own
	}
	if r.Policy, err = absolute(p.Files); err != nil {
		return nil, err
	}
	if r.Hatchdog, err = besideUs("hatchdog"); err != nil {
		return nil, err
	}
	who, err := caller(os.Getenv)
	if err != nil {
		return nil, err
	}
	r.Homes = who.homes
	b := &r.Box
	b.Args, b.UID, b.GID, b.Exec, b.System = args, who.uid, who.gid, f.exec, run.Host()
	if b.Init, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.Init, err = filepath.EvalSymlinks(b.Init); err != nil {
		return nil, err
	}
	if err := f.limits(&b.Limits); err != nil {
		return nil, err
	}
	if b.ID, err = f.id(args[0]); err != nil {
		return nil, err
	}
	if b.Allow, err = addresses(f.allow); err != nil {
		return nil, err
	}
	if err := f.grants(b, who, p.Profiles[r.Profile].Mounts); err != nil {
		return nil, err
	}
	if b.Env, err = sandbox.Environ(os.Environ(), f.env, []string{"PWD=" + b.Workdir()}, b.Sees); err != nil {
		return nil, err
	}
	b.Terminal = isTerminal(0) && isTerminal(1)
	r.Secrets, err = secrets(f.secret, os.LookupEnv)
	return r, err
}

func (f *runFlags) limits(l *sandbox.Limits) error {
	l.Pids, l.CPU, l.Time = f.pids, f.cpu, f.time
	if f.pids < 8 || f.cpu < 0.01 || f.time < 0 {
		return errors.New("--pids is 8 at least, --cpu 0.01, --time 0")
	}
	for _, s := range []struct {
		flag, text string
		to         *int64
		least      int64
	}{{"memory", f.memory, &l.Memory, 16 << 20}, {"output", f.output, &l.Output, 0}, {"tmp", f.tmp, &l.Tmp, 1 << 16}} {
		n, err := units.RAMInBytes(s.text)
		if err != nil || n < s.least {
			return fmt.Errorf("--%s %q is not a size of %s or more (as 512MiB)", s.flag, s.text, units.BytesSize(float64(s.least)))
		}
		*s.to = n
	}
	return nil
}

// id is one that is a name in every place that knows it.
func (f *runFlags) id(command string) (string, error) {
	if f.name != "" {
		if strings.Trim(f.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" || len(f.name) > 60 || f.name[0] == '-' {
			return "", fmt.Errorf("--name %q: letters, digits and - alone, 60 at most", f.name)
		}
		return f.name, nil
	}
	word := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(filepath.Base(command)))
	var some [4]byte
	if _, err := rand.Read(some[:]); err != nil {
		return "", err
	}
	return "run-" + word[:min(len(word), 20)] + "-" + hex.EncodeToString(some[:]), nil
}

// besideUs finds a program in our own directory, then on the PATH.
func besideUs(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		return "", err
	}
	at := filepath.Join(filepath.Dir(self), name)
	if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
		return at, nil
	}
	return "", fmt.Errorf("%s is not beside hatchctl (%s): install both into one directory", name, at)
}

func absolute(files []string) ([]string, error) {
	all := make([]string, 0, len(files))
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		if strings.Contains(abs, ":") {
			return nil, fmt.Errorf("%s: the path of a policy file must not have a colon", abs)
		}
		all = append(all, abs)
	}
	return all, nil
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// secrets are read once, and taken out of what we hand on.
func secrets(names []string, lookup func(string) (string, bool)) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, name := range names {
		value, ok := lookup(name)
		if !ok {
			return nil, fmt.Errorf("--secret %s: it is not set here", name)
		}
		if name == "" || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
			return nil, errors.New("--secret takes the name of a variable")
		}
		all[name] = []byte(value)
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}
