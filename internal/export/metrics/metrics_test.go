package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func page(t *testing.T, s Source) string {
	t.Helper()
	registry, err := Register(s)
	must(t, err)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	return w.Body.String()
}

// A million names of containers, profiles and controls make no more series than the
// bound.
func TestSeriesHaveABound(t *testing.T) {
	c := NewCounts()
	for i := range 20_000 {
		s := fmt.Sprintf("x%d", i)
		c.Add(audit.Entry{}, record.Record{
			Kind: record.Decision, Action: s, Outcome: s, Mode: s, Profile: s, Controls: []string{s}, Refusals: []string{s},
			Container: record.Container{ID: s, Name: s, Image: s},
		})
		c.Add(audit.Entry{}, record.Record{Kind: s, Severity: record.Severity(i)})
		c.Add(audit.Entry{Gap: &audit.Gap{Why: s}}, record.Record{})
	}
	text := page(t, Source{Counts: c, Version: "v\xff1"})
	if n := strings.Count(text, "\nhatchdog_"); n > 5*(maxSeries+1)+10 {
		t.Errorf("%d series", n)
	}
	if !strings.Contains(text, fmt.Sprintf("hatchdog_changes_total{control=\"other\"} %d", 20_000-maxSeries)) {
		t.Error("what has no series of its own is not counted")
	}
}

// The names and the texts are as Prometheus wants them.
func TestMetricsAreWellNamed(t *testing.T) {
	c := NewCounts()
	c.Add(audit.Entry{Time: time.Unix(1, 0)}, record.Record{Kind: record.Decision, Controls: []string{"a"}, Refusals: []string{"a"}})
	c.Add(audit.Entry{Time: time.Unix(1, 0)}, record.Record{Kind: "x"})
	c.Add(audit.Entry{Gap: &audit.Gap{Why: "rotated", Lines: 3}}, record.Record{})
	text := page(t, Source{
		Counts: c, Version: "1", Containers: func() Containers { return Containers{{"a", "enforce"}: 1} },
		Sinks: func() []Sending { return []Sending{{Sink: "a"}} },
	})
	found, err := promlint.New(strings.NewReader(text)).Lint()
	must(t, err)
	if len(found) > 0 {
		t.Error(found)
	}
	for _, want := range []string{"hatchdog_audit_missing_lines_total 3\n", `hatchdog_audit_gaps_total{why="rotated"} 1`, `hatchdog_containers{mode="enforce",profile="a"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// The counts go on where they were, also when the log was rotated, and a file of
// another version begins anew.
func TestCountsAreKept(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "audit.jsonl")
	cfg := policy.Audit{Path: log, MaxSize: 1000, Keep: 1}
	catch := func() string {
		k, err := Keep(dir, "t", log)
		must(t, err)
		defer k.Close()
		must(t, k.Catch())
		return fmt.Sprintln(k.Decisions["create"+sep+"refused"+sep+"enforce"+sep+"p"], k.Missing, k.At.Seq)
	}
	write := func(n int) {
		for range n {
			must(t, audit.Append(cfg, map[string]string{"door": "create", "outcome": "refused", "mode": "enforce", "profile": "p"}, time.Unix(1, 0)))
		}
	}
	write(3)
	if got := catch(); got != "3 0 3\n" {
		t.Error(got)
	}
	if got := catch(); got != "3 0 3\n" {
		t.Error(got)
	}
	write(40)
	k, err := Keep(dir, "t", log)
	must(t, err)
	must(t, k.Catch())
	k.Close()
	n := k.Decisions["create"+sep+"refused"+sep+"enforce"+sep+"p"]
	if n+k.Missing != 43 || k.Missing == 0 || n < 4 {
		t.Errorf("%d counted and %d missing of 43", n, k.Missing)
	}
	must(t, os.WriteFile(filepath.Join(dir, "t.counts"), []byte(`{"decisions":{"a":1}}`), 0o600))
	page(t, Source{Counts: func() *Counts { k, err := Keep(dir, "t", log); must(t, err); return k.Counts }()})
}

func TestTextfileIsReplacedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "hatchdog.prom")
	registry, err := Register(Source{Counts: NewCounts(), Version: "1"})
	must(t, err)
	must(t, os.WriteFile(file, []byte("old"), 0o600))
	before, err := os.Stat(file)
	must(t, err)
	must(t, WriteFile(file, registry))
	after, err := os.Stat(file)
	must(t, err)
	entries, err := os.ReadDir(dir)
	must(t, err)
	if os.SameFile(before, after) || len(entries) != 1 || after.Mode() != 0o644 {
		t.Errorf("%v, mode %v", entries, after.Mode())
	}
}
