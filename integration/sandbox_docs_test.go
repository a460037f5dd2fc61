package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// Each command of the page works, in a directory that has what it names.
func TestBoxPage(t *testing.T) {
	b := newBoxed(t)
	for name, text := range map[string]string{
		"untrusted-script.sh": "#!/bin/sh\necho ran\n", "Makefile": "test:\n\t@printf '#!/bin/sh\\necho ran\\n' >t; chmod +x t; ./t\n",
		"setup.py": "open('build/out', 'w').write('ran'); print('ran')\n",
	} {
		must(t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o755))
	}
	must(t, os.Mkdir(b.dir+"/build", 0o755))
	t.Setenv("API_TOKEN", "ran")
	count := 0
	for _, block := range blocksOf(t, "docs/sandbox.md", "sh") {
		for line := range strings.Lines(block) {
			args, ok := strings.CutPrefix(strings.TrimSpace(line), "hatchctl run ")
			if !ok {
				t.Fatalf("not a command that is tried: %s", line)
			}
			out, errs, code := b.run(t, strings.Fields(args)...)
			if code != 0 || !strings.HasSuffix(args, "true") && strings.TrimSpace(out) != "ran" && !strings.HasPrefix(args, "--show-preset") {
				t.Errorf("%s: exit code %d\n%s%s", line, code, out, errs)
			}
			count++
		}
	}
	if count < 5 {
		t.Errorf("%d commands", count)
	}
	for _, text := range blocksOf(t, "docs/sandbox.md", "yaml") {
		if strings.Contains(text, "hide:") { // of a repository
			_, err := sandbox.ParseNarrow([]byte(text))
			must(t, err)
			continue
		}
		if err := policy.Check("page", []byte(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

// A profile with the name sandbox takes the built-in one's place, and a policy that
// records alone starts nothing.
func TestBoxUnderAnOwnPolicy(t *testing.T) {
	b := newBoxed(t)
	file := filepath.Join(tested.dir, "box-policy.yaml")
	must(t, os.WriteFile(file, []byte("version: 1\nprofiles:\n  sandbox: {extends: builtin/sandbox, pids: {max: 20}}\n"), 0o600))
	t.Cleanup(func() { _ = os.Remove(file) })
	cmd, out, errs := b.command(t, "--policy", file, "--name", "own-policy", "--", "cat", "/proc/self/cgroup")
	if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("%s%s", out, errs)
	}
	cmd, out, errs = b.command(t, "--policy", file, "--", "python3", "-c", "import os, time\nn = 0\nfor i in range(60):\n  try:\n    if os.fork() == 0: time.sleep(5); os._exit(0)\n    n += 1\n  except BlockingIOError: break\nprint(n)")
	if _ = cmd.Run(); len(strings.TrimSpace(out.String())) != 2 && len(strings.TrimSpace(out.String())) != 1 || strings.TrimSpace(out.String()) > "20" && len(out.String()) > 2 {
		t.Errorf("20 processes at most: %s%s", out, errs)
	}
	must(t, os.WriteFile(file, []byte("version: 1\nmode: complain\n"), 0o600))
	cmd, out, errs = b.command(t, "--policy", file, "--", "true")
	if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 125 || !strings.Contains(errs.String(), "mode: enforce") {
		t.Errorf("%d %s%s", cmd.ProcessState.ExitCode(), out, errs)
	}
}
