package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/sandbox"
)

const top = "../../"

// pages are the documents of the project.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/profiles/*.md"} {
		found, err := filepath.Glob(top + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(f, top)] = string(data)
		}
	}
	if len(texts) < 4 {
		t.Fatalf("only %d pages", len(texts))
	}
	return texts
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// blocks are the fenced blocks of a page in one language.
func blocks(page, language string) []string {
	var all []string
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	return all
}

var inline = regexp.MustCompile("['`]((?:hatchctl|make) [^'`\n]*)['`]")

// commands are the lines of the shell blocks of a page and what its text names.
func commands(page string) (lines, named []string) {
	for _, b := range blocks(page, "sh") {
		for line := range strings.Lines(b) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for _, m := range inline.FindAllStringSubmatch(page, -1) {
		named = append(named, m[1])
	}
	return lines, named
}

// Every hatchctl line is understood, and every make target is there.
func TestDocsNameWhatIsThere(t *testing.T) {
	makefile, err := os.ReadFile(top + "Makefile")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, page := range pages(t) {
		lines, named := commands(page)
		for i, line := range append(lines, named...) {
			words := strings.Fields(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(">|&#;", r) })[0])
			switch words[0] {
			case "hatchctl":
				seen++
				if err := understood(words[1:], i < len(lines)); err != nil {
					t.Errorf("%s: %s: %v", name, line, err)
				}
			case "make":
				seen++
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:`).Match(makefile) {
					t.Errorf("%s: %s: no such target", name, line)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands were found", seen)
	}
}

// understood reads a command line as main does, without running it. In a
// sentence a command may be named without its arguments.
func understood(args []string, whole bool) error {
	cmd, rest, err := newRoot(false).Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	left := cmd.Flags().Args()
	if cmd.HasSubCommands() && len(left) > 0 && cmd.Name() != "net" && cmd.Name() != "run" && cmd.Name() != "learn" { // they take an id, a command as well
		return errors.New("unknown command")
	}
	if len(left) == 0 && !whole {
		return nil
	}
	return cmd.ValidateArgs(left)
}

// What can be run is run, line by line, beside a policy and a bundle.
func TestDocsCommandsRun(t *testing.T) {
	ran := 0
	for name, page := range pages(t) {
		lines, _ := commands(page)
		dir := t.TempDir()
		env := testscript.Env{WorkDir: dir}
		if err := setUp(&env); err != nil {
			t.Fatal(err)
		}
		copySpec(t, dir)
		for _, line := range lines {
			if !strings.HasPrefix(line, "hatchctl ") || strings.Contains(line, "/etc/") || strings.HasPrefix(line, "hatchctl net ") && !strings.Contains(line, " check ") {
				continue // net needs a container that runs
			}
			if strings.HasPrefix(line, "hatchctl run ") {
				continue // as root, with hatchdog: TestBoxPage
			}
			if name == "docs/learn.md" {
				continue // as root, with containers: TestLearnPage
			}
			cmd := exec.Command("sh", "-c", elsewhere(t, line, dir))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+dir+"/policy.yaml")
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code < 0 || code > 2 {
				t.Errorf("%s: %s: exit code %d, %v\n%s", name, line, code, err, out)
			}
			ran++
		}
	}
	if ran < 8 {
		t.Errorf("only %d commands were run", ran)
	}
}

// elsewhere has the commands that write do so in a system of their own.
func elsewhere(t *testing.T, line, dir string) string {
	t.Helper()
	if line == "hatchctl export --check" {
		file := dir + "/export.yaml"
		if err := os.WriteFile(file, []byte(blocks(pages(t)["docs/export.md"], "yaml")[0]), 0o600); err != nil {
			t.Fatal(err)
		}
		return line + " --config " + file
	}
	if strings.HasPrefix(line, "hatchctl metrics") {
		return strings.Replace(line, "/var/lib/prometheus/node-exporter", dir, 1) + " --counts " + dir + "/counts"
	}
	if !regexp.MustCompile(`^hatchctl (un)?install `).MatchString(line) {
		return line
	}
	bin := dir + "/system/usr/local/bin"
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bin+"/hatchdog", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	line += " --root " + dir + "/system"
	if strings.Contains(line, "--restart") {
		line += " --restart-with true --alive-with true"
	}
	return line
}

func copySpec(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(top + "integration/testdata/specs/ctr-default.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/bundle", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/bundle/config.json", data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Policies in the pages are policies, JSON is JSON.
func TestDocsBlocksAreValid(t *testing.T) {
	policies := 0
	for name, page := range pages(t) {
		for _, b := range blocks(page, "yaml") {
			if !strings.HasPrefix(b, "version:") {
				continue
			}
			if _, err := sandbox.ParseNarrow([]byte(b)); err == nil && name == "docs/sandbox.md" {
				continue // what a repository says of its box
			}
			if name == "docs/export.md" {
				if _, err := config.Parse([]byte(b)); err != nil {
					t.Errorf("%s: %v\n%s", name, err, b)
				}
				continue // what is sent where
			}
			policies++
			if err := policy.Check(name, []byte(b)); err != nil {
				t.Error(err)
			}
		}
		for _, b := range blocks(page, "json") {
			if !json.Valid([]byte(b)) {
				t.Errorf("%s: not JSON:\n%s", name, b)
			}
		}
	}
	if policies < 2 {
		t.Errorf("only %d policies", policies)
	}
}

var (
	link = regexp.MustCompile(`\]\(([^):#]+)[)#]`)
	file = regexp.MustCompile("`((?:cmd|deploy|docs|integration|internal|profiles)/[\\w./-]*)`")
)

// Files that the pages name are there.
func TestDocsNameFilesThatAreThere(t *testing.T) {
	for name, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(top, filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, m := range file.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(top + m[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

var testName = regexp.MustCompile("`(Test[A-Z]\\w*)`")

// A test that a page shows something by is there.
func TestDocsNameTestsThatAreThere(t *testing.T) {
	there := map[string]bool{}
	for _, root := range []string{"cmd", "integration", "internal", "shim"} {
		err := filepath.WalkDir(top+root, func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(data), -1) {
				there[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for page, text := range pages(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !there[m[1]] {
				t.Errorf("%s names %s, and there is no such test", page, m[1])
			}
		}
	}
}
