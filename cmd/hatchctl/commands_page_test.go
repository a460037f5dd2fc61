package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite docs/commands.md")

const commandsOpening = `# hatchctl, command by command

` + "`make golden`" + ` makes this page from the help of the commands. Output is that of the tests'
two containers: ` + "`front`" + ` under ` + "`restricted`" + `, and ` + "`web`" + ` in complain mode.
`

// outputs are the lines whose output the page shows, by command.
func outputs() map[string]string {
	return map[string]string{
		"hatchctl list":             "hatchctl list --run-dir /nowhere",
		"hatchctl ids":              "hatchctl ids",
		"hatchctl explain":          "hatchctl explain front",
		"hatchctl audit verify":     "hatchctl audit verify",
		"hatchctl net check":        "hatchctl net check restricted --to 169.254.169.254:80/tcp",
		"hatchctl policy check":     "hatchctl policy check bad.yaml",
		"hatchctl policy suggest":   "hatchctl policy suggest greedy",
		"hatchctl seccomp simulate": "hatchctl seccomp simulate restricted socket 38 5 0",
		"hatchctl install":          "hatchctl install docker --dry-run --root system",
	}
}

// The page has each command, its flags and its examples.
func TestGoldenCommands(t *testing.T) {
	var b strings.Builder
	b.WriteString(commandsOpening)
	root := newRoot(false)
	show := outputs()
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == g.ID && c.Name() != "help" && c.Name() != "completion" {
				describeCommand(t, &b, c, show)
			}
		}
	}
	fmt.Fprintf(&b, "\n## Flags of every command\n\n%s", flagTable(root.PersistentFlags()))
	for left := range show {
		t.Errorf("there is no command %s", left)
	}
	const page = top + "docs/commands.md"
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(page); err != nil || string(text) != b.String() {
		t.Errorf("%s is not what the help says; run make golden: %v", page, err)
	}
}

func describeCommand(t *testing.T, b *strings.Builder, c *cobra.Command, show map[string]string) {
	t.Helper()
	path := c.CommandPath()
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", path, escape.Replace(about))
	flags := flagTable(c.LocalNonPersistentFlags()) + flagTable(c.PersistentFlags())
	if !c.HasSubCommands() || c.LocalNonPersistentFlags().HasFlags() {
		fmt.Fprintf(b, "```text\n%s\n```\n\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
	}
	fmt.Fprintf(b, "%s```text\n%s\n```\n", flags, examples(t, c))
	if line := show[path]; line != "" {
		fmt.Fprintf(b, "\n`%s` prints\n\n```text\n%s```\n", line, outputOf(t, line))
		delete(show, path)
	}
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" {
			describeCommand(t, b, sub, show)
		}
	}
}

var escape = strings.NewReplacer("*", `\*`, "<", `\<`, "_", `\_`)

// examples are the lines of a command's example, each of which hatchctl takes.
func examples(t *testing.T, c *cobra.Command) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(c.Example) {
		line = strings.TrimSpace(line)
		lines = append(lines, line)
		call, _, _ := strings.Cut(line, " > ")
		words := strings.Fields(call[max(0, strings.Index(call, "hatchctl")):])
		if len(words) == 0 || words[0] != "hatchctl" {
			t.Errorf("%s: %s is no call of hatchctl", c.CommandPath(), line)
			continue
		}
		if err := understood(words[1:], true); err != nil {
			t.Errorf("%s: %s: %v", c.CommandPath(), line, err)
		}
	}
	return strings.Join(lines, "\n")
}

func flagTable(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "version" || f.Hidden {
			return
		}
		if b.Len() == 0 {
			b.WriteString("| flag | meaning |\n|---|---|\n")
		}
		name := "--" + f.Name
		if kind, _ := pflag.UnquoteUsage(f); kind != "" {
			name += " " + kind
		}
		about := f.Usage
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
			about += " (default: " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.ReplaceAll(escape.Replace(about), "|", `\|`))
	})
	if b.Len() > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// outputOf runs a line beside the policy and the records of the scripts.
func outputOf(t *testing.T, line string) string {
	t.Helper()
	dir := t.TempDir()
	env := testscript.Env{WorkDir: dir}
	if err := setUp(&env); err != nil {
		t.Fatal(err)
	}
	bin := dir + "/system/usr/local/bin"
	for _, err := range []error{
		os.MkdirAll(bin, 0o755), os.WriteFile(bin+"/hatchdog", nil, 0o755),
		os.WriteFile(dir+"/bad.yaml", []byte("version: 1\nmode: enforced\nprofile: restrictd\n"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+dir+"/policy.yaml")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code < 0 || code > 2 {
		t.Errorf("%s: exit code %d, %v\n%s", line, code, err, out)
	}
	return strings.NewReplacer(dir+"/system", "", dir, "", "0001-01-01T00:00:00Z", "2026-11-29T10:00:00Z").Replace(string(out))
}
