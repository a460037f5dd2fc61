package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func readme(t *testing.T, language string) []string { return blocksOf(t, "README.md", language) }

func blocksOf(t *testing.T, page, language string) []string {
	t.Helper()
	data, err := os.ReadFile("../" + page)
	must(t, err)
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(data), -1) {
		all = append(all, m[1])
	}
	return all
}

// numbers differ from host to host, and so does where the tests' runc is.
var numbers = regexp.MustCompile(`\d+|\(/\S+/runc\)`)

// What the README shows of the demo is what the demo prints, the picture is of its
// table, and the whole fits a screen or two.
func TestReadmeShowsTheDemo(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "demo.svg")
	cmd := exec.Command("make", "demo", "PICTURE="+svg, "BIN="+filepath.Join(t.TempDir(), "bin"))
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "\n"); n >= 60 {
		t.Errorf("%d lines:\n%s", n, out)
	}
	rule := strings.Repeat("-", 80)
	_, table, _ := strings.Cut(string(out), rule)
	_, table, _ = strings.Cut(table, "\n")
	table, _, _ = strings.Cut(table, rule)
	if rows := strings.Count(table, "\n"); rows != 10 || strings.Contains(table, "the same") {
		t.Errorf("%d rows, or some that do not differ:\n%s", rows, table)
	}
	wantLines(t, string(out), "root inside is, on the host             root  ", "out of reach", "cannot      become root of the host", "Try it under your Docker")
	printed := numbers.ReplaceAllString(string(out), "0")
	shown := 0
	for _, block := range readme(t, "text") {
		if !strings.Contains(block, "hatchdog\n---") && !strings.HasPrefix(block, "container   demo") {
			continue
		}
		shown++
		if !strings.Contains(printed, numbers.ReplaceAllString(block, "0")) {
			t.Errorf("the README shows\n%s\nand the demo prints\n%s", block, out)
		}
	}
	if shown != 2 {
		t.Errorf("the README shows %d parts of the demo, want 2", shown)
	}
	if drawn := read(t, "../docs/demo.svg"); numbers.ReplaceAllString(drawn, "0") != numbers.ReplaceAllString(read(t, svg), "0") {
		t.Error("docs/demo.svg is not of what the demo prints: make demo PICTURE=docs/demo.svg")
	}
}

// The engines read the configuration that the README gives.
func TestReadmeConfiguration(t *testing.T) {
	for _, block := range readme(t, "toml") {
		program := "containerd"
		if strings.HasPrefix(block, "version = 3") {
			program = cached(t, "containerd-*/containerd")
		}
		file := t.TempDir() + "/config.toml"
		must(t, os.WriteFile(file, []byte(block), 0o600))
		out := mustRun(t, program, "--config", file, "config", "dump")
		_, table, found := strings.Cut(out, "runtimes.hatchdog]")
		if !found || !regexp.MustCompile(`BinaryName = ['"]/usr/local/bin/hatchdog['"]`).MatchString(table) || !strings.Contains(table, "io.containerd.runc.v2") {
			t.Errorf("%s reads\n%s\nas\n%s", program, block, table)
		}
	}
}

// As the README installs it under Docker and takes it away: with a reload.
func TestReadmeDocker(t *testing.T) {
	var daemon struct {
		Runtimes map[string]struct{ Path string }
	}
	blocks := readme(t, "json")
	if len(blocks) != 1 || json.Unmarshal([]byte(blocks[0]), &daemon) != nil || daemon.Runtimes["hatchdog"].Path != "/usr/local/bin/hatchdog" {
		t.Fatalf("daemon.json: %v", blocks)
	}
	eachDocker(t, readmeDocker)
}

func readmeDocker(t *testing.T, d *docker) {
	before, err := os.ReadFile(d.dir + "/daemon.json")
	must(t, err)
	reload := func(config []byte, known bool) {
		must(t, os.WriteFile(d.dir+"/daemon.json", config, 0o600))
		must(t, d.cmd.Process.Signal(syscall.SIGHUP))
		waitFor(t, "the reload", func() bool { return strings.Contains(d.do(t, "info", "-f", "{{.Runtimes}}"), "late:") == known })
	}
	t.Cleanup(func() { reload(before, false) })
	reload([]byte(strings.Replace(string(before), `"runtimes":{`, `"runtimes":{"late":{"path":"`+tested.hatchdog+`"},`, 1)), true)
	id := strings.TrimSpace(d.do(t, "run", "-d", "--runtime=late", "busybox", "sleep", "600"))
	t.Cleanup(func() { d.try(t, "rm", "-f", id) })
	wantLines(t, d.do(t, "inspect", "-f", "{{.HostConfig.Runtime}}", id), "late")
	wantLines(t, d.do(t, "exec", id, "grep", "CapEff", "/proc/self/status"), restrictedCaps)
	reload(before, false)
	d.do(t, "stop", "-t", "1", id) // the program is still in its place
	if out, code := d.try(t, "start", id); code == 0 || !strings.Contains(strings.ToLower(out), "runtime") {
		t.Errorf("it starts without its runtime: %d %s", code, out)
	}
}

// The table of the shim is one that containerd reads.
func TestKubernetesPageConfiguration(t *testing.T) {
	blocks := blocksOf(t, "docs/kubernetes.md", "toml")
	if len(blocks) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	file := t.TempDir() + "/config.toml"
	must(t, os.WriteFile(file, []byte(blocks[0]), 0o600))
	out := mustRun(t, cached(t, "containerd-v*/containerd"), "--config", file, "config", "dump")
	_, table, found := strings.Cut(out, "runtimes.hatchdog]")
	if !found || !strings.Contains(table, "io.containerd.hatchdog.v1") {
		t.Errorf("%s", out)
	}
}

// The programs are replaced by the very lines of the page.
func TestUpgradePage(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/to", 0o755))
	must(t, os.MkdirAll(dir+"/bin", 0o755))
	must(t, os.WriteFile(dir+"/policy.yaml", []byte("version: 1\n"), 0o600))
	for _, p := range []string{"hatchdog", "hatchctl"} {
		must(t, os.WriteFile(dir+"/to/"+p, []byte("old"), 0o755))
		must(t, os.Symlink(filepath.Join(tested.dir, "bin", p), dir+"/bin/"+p))
	}
	ran := 0
	for _, block := range blocksOf(t, "docs/upgrade.md", "sh") {
		for line := range strings.Lines(block) {
			if !strings.HasPrefix(line, "bin/") && !strings.HasPrefix(line, "for p in ") {
				continue
			}
			line = strings.NewReplacer("/usr/local/bin", dir+"/to", "/etc/hatchdog", dir).Replace(line)
			mustRun(t, "sh", "-ec", "cd "+dir+"; "+line)
			ran++
		}
	}
	if got := mustRun(t, dir+"/to/hatchctl", "--version"); ran != 2 || !strings.Contains(got, "hatchctl") {
		t.Errorf("%d lines ran: %s", ran, got)
	}
	if left, _ := filepath.Glob(dir + "/to/*"); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}
