package lowlevel

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func script(t testing.TB, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runc")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

const good = `case $1 in
--version) echo "runc version 1.5.2" ;;
features) echo '{"mountOptions":["rro"],"linux":{"namespaces":["user"]},"potentiallyUnsafeConfigAnnotations":["bundle"]}' ;;
esac
echo run >>"$(dirname "$0")/count"`

func count(t *testing.T, path string) int {
	t.Helper()
	data, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "count"))
	return strings.Count(string(data), "run")
}

func TestProbeAsksOnce(t *testing.T) {
	path, cache := script(t, good), filepath.Join(t.TempDir(), "cache")
	for range 3 {
		rt, err := Probe(path, cache)
		if err != nil || rt.Name != "runc" || rt.Version != "1.5.2" || len(rt.MountOptions) != 1 || rt.Namespaces[0] != "user" || rt.UnsafeAnnotations[0] != "bundle" {
			t.Fatal(rt, err)
		}
	}
	if n := count(t, path); n != 2 {
		t.Errorf("asked %d times", n)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+strings.Replace(good, "1.5.2", "1.5.3", 1)), 0o755); err != nil {
		t.Fatal(err)
	}
	if rt, err := Probe(path, cache); err != nil || rt.Version != "1.5.3" {
		t.Errorf("an update went unnoticed: %v %v", rt, err)
	}
}

func TestProbeOfBadRuntimes(t *testing.T) {
	// Only the one that hangs may run out of time, however slow the machine is.
	const long, short = time.Minute, 200 * time.Millisecond
	for name, c := range map[string]struct {
		body     string
		patience time.Duration
		want     error
	}{
		"crashes":  {"kill -9 $$", long, nil},
		"fails":    {"exit 3", long, nil},
		"garbage":  {"echo hello", long, errAnswer},
		"features": {`[ "$1" = --version ] && echo runc version 1.5.2 || echo '{'`, long, errAnswer},
		"endless":  {"exec yes", long, errTooLong},
		"hangs":    {`[ "$1" = --version ] && echo runc version 1.5.2 || sleep 60`, short, errHangs},
	} {
		t.Run(name, func(t *testing.T) {
			// Written before anything is started: a child that another case forks
			// meanwhile would hold the script open for writing (ETXTBSY).
			path, cache := script(t, c.body), t.TempDir()
			t.Parallel()
			_, err := probe(path, cache, c.patience)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if kept, _ := os.ReadDir(cache); len(kept) > 0 {
				t.Error("a failure was kept")
			}
		})
	}
}

// Versions from before the features command are asked for nothing; a later one
// that fails is broken.
func TestProbeWithoutFeatures(t *testing.T) {
	for version, old := range map[string]bool{
		"crun version 1.8.1": true, "crun version 1.8.6": false, "crun version 1.20": false,
		"runc version 1.0.3": true, "runc version 1.1.0-rc.1": false, "runc version unknown": false, "youki version 0.1": false,
	} {
		rt, err := Probe(script(t, `[ "$1" = --version ] && echo `+version+` || exit 1`), t.TempDir())
		if (err == nil) != old || len(rt.Namespaces)+len(rt.MountOptions) > 0 {
			t.Errorf("%s: %+v %v", version, rt, err)
		}
		if err == nil && Vet(rt, policy.Runtime{}) == nil {
			t.Errorf("%s passes without being accepted by name", version)
		}
	}
}

func TestCacheOfOthersIsNotRead(t *testing.T) {
	path, cache := script(t, good), t.TempDir()
	if _, err := Probe(path, cache); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(cache + "/*.json")
	if len(files) != 1 || os.Chmod(files[0], 0o666) != nil {
		t.Fatal(files)
	}
	if _, err := Probe(path, cache); err != nil || count(t, path) != 4 {
		t.Errorf("a file that anybody can write was believed: %v", err)
	}
}

func accept(version string, open ...string) []policy.Accepted {
	return []policy.Accepted{{Version: version, Because: "a test", Open: open}}
}

func TestVet(t *testing.T) {
	open := []string{"CVE-2024-21626", "CVE-2024-45310", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"}
	// The remedy that the error has is true.
	err := Vet(host.Runtime{Name: "runc", Version: "1.1.5+ds1"}, policy.Runtime{})
	if want := `runtime: {accept: [{version: "runc 1.1.5+ds1", because: WHY, open: [` + strings.Join(open, ", ") + "]}]}"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	err = Vet(host.Runtime{Name: "runc", Version: "1.1.5+ds1"}, policy.Runtime{Accept: accept("runc 1.1.5+ds1", open[1:]...)})
	if err == nil || !strings.Contains(err.Error(), "without naming "+open[0]+";") {
		t.Error(err)
	}
	for _, c := range []struct {
		name, version, min string
		accept             []policy.Accepted
		want               error
	}{
		{"runc", "1.5.2", "", nil, nil},
		{"runc", "1.3.3", "", nil, nil},
		{"runc", "1.3.2", "", nil, ErrEscape},
		{"runc", "1.2.8", "", nil, nil},
		{"runc", "1.2.7", "", nil, ErrEscape},
		{"runc", "1.4.0-rc.2", "", nil, ErrEscape},
		{"runc", "1.4.0-rc3", "", nil, nil},
		{"runc", "1.1.15", "", nil, ErrEscape},
		{"runc", "1.1.5+ds1", "", nil, ErrEscape},
		{"runc", "1.1.5+ds1", "", accept("runc 1.1.5+ds1", open...), nil},
		{"runc", "1.1.5+ds1", "", accept("runc 1.1.5+ds1", open[1:]...), ErrEscape},
		{"runc", "1.1.5+ds1", "", accept("runc 1.1.5+ds1"), ErrEscape},
		{"runc", "1.1.5+ds1", "", accept("runc 1.1.5+ds1", "unknown"), ErrEscape},
		{"runc", "1.1.5", "", accept("runc 1.1.5+ds1", open...), ErrEscape},
		{"runc", "1.5.2", "1.6.0", accept("runc 1.5.2"), nil},
		{"youki", "0.5.0", "", accept("youki 0.5.0"), ErrUnknown},
		{"youki", "0.5.0", "", accept("youki 0.5.0", "unknown"), nil},
		{"runc", "1.5.2", "1.6.0", nil, ErrOld},
		{"runc", "unknown", "", nil, errVersion},
		{"runc", "1.5.2-12-gabcdef", "", nil, errVersion},
		{"crun", "1.19.1", "", nil, ErrEscape},
		{"crun", "1.20", "", nil, nil},
		{"youki", "0.5.0", "", nil, ErrUnknown},
	} {
		err := Vet(host.Runtime{Name: c.name, Version: c.version}, policy.Runtime{MinVersion: c.min, Accept: c.accept})
		if c.want == nil && err != nil || !errors.Is(err, c.want) {
			t.Errorf("%s %s: %v, want %v", c.name, c.version, err, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	path := script(t, good)
	env := func(string) string { return "relative:" + filepath.Dir(path) }
	if got, err := Find(policy.Runtime{}, env); err != nil || got != path {
		t.Error(got, err)
	}
	none := func(string) string { return t.TempDir() }
	notExec := filepath.Join(t.TempDir(), "runc")
	if err := os.WriteFile(notExec, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		env  func(string) string
		want error
	}{
		{"", none, ErrMissing}, {"/nowhere/runc", env, ErrMissing}, {notExec, env, ErrNoExec}, {"/", env, ErrNoExec}, {"/proc/self/exe", env, ErrSelf},
	} {
		if _, err := Find(policy.Runtime{Path: c.path}, c.env); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.path, err, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	msg := "a \"quoted\" line\nand <another> \x00 \xff"
	for range 2 {
		if err := Report(log, "json", msg, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", data)
	}
	var e struct{ Level, Msg, Time string }
	if err := json.Unmarshal([]byte(lines[1]), &e); err != nil || e.Level != "error" || !strings.HasPrefix(e.Msg, "a \"quoted\" line\nand <another>") {
		t.Error(e, err)
	}
	if _, err := time.Parse(time.RFC3339, e.Time); err != nil {
		t.Error(err)
	}
	if got := entry("text", "error", "x\ny", time.Unix(0, 0).UTC()); got != "time=\"1970-01-01T00:00:00Z\" level=error msg=\"x\\ny\"\n" {
		t.Error(got)
	}
}

func TestBundle(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/c1", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/c1/state.json", []byte(`{"config":{"labels":["x=y","bundle=/b"]}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if dir, err := Bundle(root, "c1"); err != nil || dir != "/b" {
		t.Error(dir, err)
	}
	if _, err := Bundle(root, "c2"); err == nil {
		t.Error("no state")
	}
}

func BenchmarkProbe(b *testing.B) {
	path, cache := script(b, good), b.TempDir()
	for b.Loop() {
		if _, err := Probe(path, cache); err != nil {
			b.Fatal(err)
		}
	}
}
