package lowlevel

import (
	"os"
	"path/filepath"
	"testing"
)

// ran runs a script with a file for its output.
func ran(t *testing.T, body string, environ []string, argv ...string) (code int, said string) {
	t.Helper()
	out, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	code, err = Run(script(t, body), argv, environ, Streams{nil, out, out})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(raw)
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		body, said string
		environ    []string
		code       int
	}{
		"arguments":   {`echo "$@"; exit 7`, "delete c1\n", nil, 7},
		"signal":      {"kill -9 $$", "", nil, 137},
		"environment": {`echo "$GOMAXPROCS $A"`, "1 b\n", []string{"A=b"}, 0},
		"no input":    {`read line || echo none`, "none\n", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if code, said := ran(t, c.body, c.environ, "hatchdog", "delete", "c1"); code != c.code || said != c.said {
				t.Errorf("%d %q", code, said)
			}
		})
	}
}

func TestRunWithoutStreams(t *testing.T) {
	if code, err := Run(script(t, "echo lost; exit 3"), []string{"hatchdog"}, nil, Streams{}); err != nil || code != 3 {
		t.Error(code, err)
	}
}

// A signal to us reaches the low-level runtime, which is waited for.
func TestRunPassesSignalsOn(t *testing.T) {
	code, said := ran(t, "trap 'echo told; exit 5' TERM\nkill -TERM $PPID\nwhile :; do /bin/sleep 0.02; done", []string{"PATH=/bin"}, "hatchdog")
	if code != 5 || said != "told\n" {
		t.Errorf("%d %q", code, said)
	}
}

// Nothing is left of it that somebody else would have to reap.
func TestRunReaps(t *testing.T) {
	_, said := ran(t, "echo $$", nil, "hatchdog")
	if _, err := os.Stat("/proc/" + said[:len(said)-1]); err == nil {
		t.Error("a child is left")
	}
}

func TestRunOfNoProgram(t *testing.T) {
	if _, err := Run(filepath.Join(t.TempDir(), "none"), []string{"hatchdog"}, nil, Streams{}); err == nil {
		t.Error("it ran")
	}
}
