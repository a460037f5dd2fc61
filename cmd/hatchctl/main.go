// Command hatchctl is the operator's side of hatchdog: it explains, lists, checks,
// verifies and installs. It changes no container that runs, except by the AppArmor
// profiles that it is told to load or unload, and where it is told to freeze a
// container or to cut it off.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
	"github.com/hatchdog/hatchdog/internal/sandbox/run/enter"
)

// version is set by the linker.
var version = "dev"

// exitError carries an exit code that is an answer, not a failure.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// options are the flags that every command shares.
type options struct {
	policyFile string
	stateDir   string
	entered    bool // as an ordinary user, a user namespace of our own
}

func main() {
	if len(os.Args) > 1 && os.Args[0] == sandbox.InitAt && os.Args[1] == sandbox.InitVerb {
		os.Exit(run.Inside(os.Args[2:]))
	}
	entered := len(os.Args) > 2 && os.Args[1] == enter.Verb
	if entered {
		if err := enter.Entered(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "hatchctl:", err)
			os.Exit(run.CodeFailed)
		}
		os.Args = append(os.Args[:1:1], os.Args[3:]...)
	}
	if user := owner.User(); user != 0 && os.Getenv("XDG_RUNTIME_DIR") == "" {
		_ = os.Setenv("XDG_RUNTIME_DIR", run.Runtime(user, os.Getenv))
	}
	out, errs := plain.Writer(os.Stdout), plain.Writer(os.Stderr)
	painted := &painter{w: os.Stdout}
	if coloured(os.Stdout, os.Getenv) {
		out = plain.Writer(painted)
	}
	root := newRoot(entered)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.Execute()
	painted.close()
	var code exitError
	switch {
	case err == nil:
	case errors.As(err, &code):
	case errors.Is(err, errUsage):
		fmt.Fprintln(errs, "hatchctl:", err)
		code = exitUsage
	default:
		fmt.Fprintln(errs, "hatchctl:", err)
		code = exitFailure
	}
	tellApart(int(code))
	os.Exit(int(code))
}

// exitFailure is apart from the codes 1 and 2 with which `check` answers.
const exitFailure = 3

func newRoot(entered bool) *cobra.Command {
	o := &options{entered: entered}
	root := &cobra.Command{
		Use:   "hatchctl",
		Short: "See, check and explain what hatchdog does",
		Long: `See, check and explain what hatchdog does. No command changes a container that runs,
except for those below Answer.

Exit codes: 0, or the answer of the command (1 and 2: see its help). 3: it could not
do what was asked. 64: it does not understand the command line.`,
		Example: `  hatchctl list
  hatchctl explain web
  hatchctl check /run/containerd/io.containerd.runtime.v2.task/k8s.io/ID`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	grouped(root, "Run", runCommand(o), mcpCommand(o))
	grouped(root, "See", explainCommand(o), whyCommand(o), learnCommand(o), watchCommand(o), listCommand(o), netCommand(o), idsCommand(o), auditCommand(o))
	grouped(root, "Answer", freezeCommand(o), thawCommand(o), isolateCommand(o), rejoinCommand(o), captureCommand(o))
	grouped(root, "Write policy", checkCommand(o), policyCommand(o), seccompCommand(o))
	grouped(root, "Engines", installCommand(), uninstallCommand(), refreshCommand(o))
	grouped(root, "Send", exportCommand(o), metricsCommand(o))
	grouped(root, "Host", doctorCommand(o), apparmorCommand(o), guardCommand(o))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, "%v", err) })
	root.PersistentFlags().StringVar(&o.policyFile, "policy", "", "the policy file (default: $HATCHDOG_POLICY, or /etc/hatchdog/policy.yaml, or the built-in policy)")
	root.PersistentFlags().StringVar(&o.stateDir, "state-dir", "", "where the records are (default: what the policy says)")
	root.AddCommand(manualCommands()...)
	root.SetHelpCommandGroupID("Host")
	root.SetCompletionCommandGroupID("Host")
	root.InitDefaultCompletionCmd()
	return root
}

func (o *options) policy() (*policy.Policy, error) {
	if o.policyFile != "" {
		return policy.LoadFile(o.policyFile)
	}
	return policy.LoadAll(os.Getenv)
}

func (o *options) store() decision.Store {
	if o.stateDir != "" {
		return decision.Store{Base: o.stateDir}
	}
	if p, err := o.policy(); err == nil {
		return decision.Store{Base: p.StateDir}
	}
	return decision.Store{Base: policy.DefaultStateDir(owner.User(), os.Getenv)}
}

func (o *options) auditPath() (string, error) {
	p, err := o.policy()
	if err != nil {
		return "", err
	}
	return p.Audit.Path, nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
