package export

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// debian is a program of a Debian package that the set-up unpacked.
func debian(t testing.TB, path string) string {
	t.Helper()
	cache := os.Getenv("HATCHDOG_CACHE")
	if cache == "" {
		home, err := os.UserCacheDir()
		must(t, err)
		cache = filepath.Join(home, "hatchdog")
	}
	found, _ := filepath.Glob(filepath.Join(cache, path))
	if len(found) == 0 {
		t.Fatalf("%s is not in %s: run integration/setup/debian.sh %s prometheus", path, cache, cache)
	}
	return found[0]
}

func tool(t testing.TB, stdin io.Reader, args ...string) {
	t.Helper()
	cmd := exec.Command(debian(t, "prometheus-[0-9]*/usr/bin/promtool"), args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

const deployed = "../../deploy/prometheus/"

func TestAlertRules(t *testing.T) {
	tool(t, nil, "check", "rules", deployed+"hatchdog.rules.yaml")
	tool(t, nil, "test", "rules", deployed+"hatchdog.rules.test.yaml")
}

// expressions are those of the dashboard, with Grafana's variables filled in.
func expressions(t testing.TB) []string {
	t.Helper()
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	must(t, json.Unmarshal([]byte(read(t, deployed+"grafana-dashboard.json")), &d))
	var all []string
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, strings.NewReplacer("$__rate_interval", "1m", "$__range", "1h", "$instance", ".*").Replace(target.Expr))
		}
	}
	if len(all) < 9 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}

// A real Prometheus scrapes the export, loads the rules, and answers what the
// dashboard asks.
func TestPrometheus(t *testing.T) {
	p := newPlace(t)
	p.write(t, 7)
	listen := freePort(t)
	p.configure(t, swap(t, example(t, "Prometheus"), "127.0.0.1:9464", listen)+"sinks: [{name: lines, file: {path: "+p.dir+"/out.jsonl}}]\n")
	p.start(t)
	rules, err := filepath.Abs(deployed + "hatchdog.rules.yaml")
	must(t, err)
	must(t, os.WriteFile(p.dir+"/prometheus.yaml", []byte(fmt.Sprintf(
		"global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs: [{job_name: hatchdog, static_configs: [{targets: ['%s']}]}]\n", rules, listen)), 0o600))
	address := freePort(t)
	cmd := exec.Command(debian(t, "prometheus-[0-9]*/usr/bin/prometheus"), "--config.file="+p.dir+"/prometheus.yaml", "--storage.tsdb.path="+p.dir+"/tsdb", "--web.listen-address="+address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	value := func(expr string) string { return query(t, address, expr) }
	waitFor(t, "a scrape", func() bool { return value(`hatchdog_decisions_total{outcome="refused",profile="restricted"}`) == "7" })
	p.write(t, 5)
	waitFor(t, "a second scrape", func() bool { return value(`sum(hatchdog_decisions_total)`) == "12" })
	waitFor(t, "the file's lines", func() bool { return value(`hatchdog_export_sent_total{sink="lines"}`) == "12" })
	for _, expr := range expressions(t) {
		value(expr)
	}
	resp, err := http.Get("http://" + address + "/api/v1/rules")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if strings.Count(string(text), `"health":"ok"`)+strings.Count(string(text), `"health":"unknown"`) != 7 || strings.Contains(string(text), `"health":"err"`) {
		t.Errorf("%s", text)
	}
}

// query is the first value of an expression, "" where there is none.
func query(t testing.TB, address, expr string) string {
	t.Helper()
	resp, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return "" // it starts
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return ""
	}
	must(t, json.NewDecoder(resp.Body).Decode(&answer))
	if answer.Status != "success" {
		t.Fatalf("%s: %s", expr, answer.Error)
	}
	if len(answer.Data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}

// The textfile is what node_exporter takes, and each of its names is described.
func TestTextfile(t *testing.T) {
	p := newPlace(t)
	p.write(t, 3)
	file := p.dir + "/hatchdog.prom"
	for range 2 {
		cmd := exec.Command(hatchctl, "metrics", "--textfile", file, "--log", p.cfg.Path, "--counts", p.dir+"/counts", "--state-dir", p.dir+"/records")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	text := read(t, file)
	tool(t, strings.NewReader(text), "check", "metrics")
	if !strings.Contains(text, `hatchdog_decisions_total{door="create",mode="enforce",outcome="refused",profile="restricted"} 3`) {
		t.Errorf("%s", text)
	}
}
