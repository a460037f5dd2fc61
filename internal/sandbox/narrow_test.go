package sandbox

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseNarrow(t *testing.T) {
	for text, ok := range map[string]bool{
		"version: 1\nmemory: 64MiB\nexec: false\noverlay: true\nrw: [build]\nhide: ['*.key', 'a/b']\nallow: []\n": true,
		"memory: 64MiB\n":                      false,
		"version: 1\nexec: true\n":             false,
		"version: 1\noverlay: false\n":         false,
		"version: 1\nro: [/etc]\n":             false,
		"version: 1\nenv: [TOKEN]\n":           false,
		"version: 1\nrw: [../x]\n":             false,
		"version: 1\nrw: [/etc]\n":             false,
		"version: 1\nrw: [a/../../x]\n":        false,
		"version: 1\nhide: ['[']\n":            false,
		"version: 1\n---\nversion: 1\n":        false,
		"version: 1\nversion: 1\n":             false,
		"version: 1\nmemory: &a x\npids: *a\n": false,
	} {
		if _, err := ParseNarrow([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func bytesOf(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

// Whatever a repository says, its box has no more than the caller gave.
func TestNarrowOnlyNarrows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		num := func(name string) int64 {
			return rapid.OneOf(rapid.Int64Range(8, 512), rapid.Int64Range(-5, 1<<32)).Draw(r, name)
		}
		pids, cpu := num("pids"), rapid.Float64Range(-1, 8).Draw(r, "cpu")
		d := time.Duration(rapid.OneOf(rapid.Int64Range(-1, 1), rapid.Int64Range(-5, 1<<42)).Draw(r, "time"))
		no, yes := false, true
		n := &Narrow{
			Version: 1, Memory: strconv.FormatInt(rapid.OneOf(rapid.Just(int64(16<<20)), rapid.Int64Range(-5, 1<<32)).Draw(r, "memory"), 10), Output: strconv.FormatInt(num("output"), 10), Tmp: strconv.FormatInt(num("tmp"), 10),
			Pids: &pids, CPU: &cpu, Time: &d,
			RW:    rapid.SliceOf(rapid.SampledFrom([]string{"build", "src", "build/x", "."})).Draw(r, "rw"),
			Allow: rapid.SliceOf(rapid.SampledFrom([]string{"192.0.2.1:80", "0.0.0.0/0", "192.0.2.2"})).Draw(r, "allow"),
		}
		if rapid.Bool().Draw(r, "exec") {
			n.Exec = &no
		}
		if rapid.Bool().Draw(r, "overlay") {
			n.Overlay = &yes
		}
		was := Box{
			Exec: rapid.Bool().Draw(r, "had exec"), Allow: []string{"192.0.2.1:80", "192.0.2.2"}, Limits: Defaults(),
			Grants: rapid.SampledFrom([][]Grant{{{Path: "/w", Dir: true, Write: true}}, {{Path: "/w", Dir: true}}, {{Path: "/w/build", Dir: true, Write: true}, {Path: "/w", Dir: true}}, {{Path: "/other", Dir: true, Write: true}}}).Draw(r, "grants"),
		}
		now := was
		now.Allow, now.Grants = slices.Clone(was.Allow), slices.Clone(was.Grants)
		if err := n.Apply(&now, "/w", bytesOf, func(p string) (Grant, error) { return Grant{Path: filepath.Join("/w", p), Dir: true}, nil }); err != nil {
			return // refused
		}
		a, b := now.Limits, was.Limits
		if a.Time == 0 || a.Output == 0 || a.Pids == 0 || a.CPU == 0 || a.Memory == 0 {
			r.Fatalf("a limit is gone: %+v, was %+v", a, b)
		}
		if a.Pids > b.Pids || a.CPU > b.CPU || a.Memory > b.Memory || a.Time > b.Time || a.Output > b.Output || a.Tmp > b.Tmp || now.Exec && !was.Exec {
			r.Fatalf("wider: %+v, was %+v", a, b)
		}
		for _, e := range now.Allow {
			if !slices.Contains(was.Allow, e) {
				r.Fatalf("it reaches %s", e)
			}
		}
		for _, p := range []string{"/w", "/w/src", "/w/build", "/w/build/x", "/other", "/etc"} {
			g, had := now.granted(p), was.granted(p)
			if g != nil && (had == nil || g.Write && !had.Write) {
				r.Fatalf("%s: %+v, was %+v", p, g, had)
			}
		}
	})
}

func TestNarrowKeepsTheLimitOfTime(t *testing.T) {
	for _, text := range []string{"0s", "-1s", "0h0m"} {
		n, err := ParseNarrow([]byte("version: 1\ntime: " + text + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		b := &Box{Limits: Defaults()}
		if err := n.Apply(b, "/w", bytesOf, nil); !errors.Is(err, ErrWidens) || b.Limits.Time != time.Hour {
			t.Errorf("time: %s: %v, leaves %v", text, err, b.Limits.Time)
		}
	}
}

func TestNarrowHides(t *testing.T) {
	for _, c := range []struct {
		glob, path string
		want       bool
	}{{"*.csv", "/w/a/b.csv", true}, {"*.csv", "/v/b.csv", false}, {"data/x", "/w/data/x", true}, {"data/x", "/w/y/data/x", false}} {
		if got := (Pattern{"/w", c.glob}).Matches(c.path); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if err := (&Narrow{Memory: "-1"}).Apply(&Box{Limits: Defaults()}, "/w", bytesOf, nil); !errors.Is(err, ErrNarrow) {
		t.Error(err)
	}
}
