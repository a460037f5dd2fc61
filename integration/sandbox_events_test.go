package integration

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// events runs a command whose descriptors 3 and 4 are the events and what ends it.
func (b *boxed) events(t *testing.T, end time.Duration, args ...string) (lines []map[string]any, out string, code int) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	until, hold, err := os.Pipe()
	must(t, err)
	cmd, o, errs := b.command(t, append([]string{"--json-events", "3", "--until-fd", "4", "--report", "none"}, args...)...)
	cmd.ExtraFiles = []*os.File{w, until}
	must(t, cmd.Start())
	must(t, w.Close())
	must(t, until.Close())
	if end > 0 {
		time.AfterFunc(end, func() { _ = hold.Close() })
	} else {
		defer hold.Close()
	}
	dec := json.NewDecoder(r)
	for dec.More() {
		var line map[string]any
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	_ = cmd.Wait()
	return lines, o.String() + errs.String(), cmd.ProcessState.ExitCode()
}

// The keys of each event are those of the page.
func TestBoxTellsPrograms(t *testing.T) {
	b := newBoxed(t)
	lines, out, code := b.events(t, 0, "--rw", ".", "--overlay", "--name", "told", "--", "sh", "-c",
		`ls /proc/self/fd | wc -l; echo x >new; python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.9", 9))' 2>/dev/null; exit 5`)
	t.Cleanup(func() { _ = exec.Command(tested.hatchctl, "run", boxDir(), "discard", "told").Run() })
	if code != 5 || !strings.HasPrefix(out, "4\n") { // 0 to 2, and the directory's own
		t.Errorf("%d: %s", code, out)
	}
	const all = "event name time v"
	want := []string{
		"start: allow command directory event exec grants hidden kept limits name overlay time v",
		"denied: count event flag kind name time v what",
		"changes: event marked name paths time v",
		"end: code event name time took unseen v",
	}
	var got []string
	for _, l := range lines {
		got = append(got, l["event"].(string)+": "+strings.Join(slices.Sorted(maps.Keys(l)), " "))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q (all have %s)\n%s", got, want, all, out)
	}
	page := read(t, "../docs/sandbox.md")
	for _, l := range lines {
		for key := range l {
			if !strings.Contains(page, "`"+key+"`") {
				t.Errorf("the page does not have %s", key)
			}
		}
		if l["v"] != 1.0 || l["name"] != "told" {
			t.Errorf("%v", l)
		}
	}
	if last := lines[len(lines)-1]; last["code"] != 5.0 || lines[0]["hidden"] == 0.0 || lines[2]["paths"] != 1.0 {
		t.Errorf("%v", lines)
	}
}

// A command that takes no signal ends when its starter lets go.
func TestBoxEndsWithItsProgram(t *testing.T) {
	b := newBoxed(t)
	start := time.Now()
	lines, out, code := b.events(t, 2*time.Second, "--name", "let-go", "--", "sh", "-c", `trap "" TERM INT HUP; (setsid sleep 300 &) ; while :; do sleep 1; done`)
	if code != 137 || time.Since(start) > 20*time.Second || len(lines) == 0 || lines[len(lines)-1]["ended"] != "cancelled" {
		t.Errorf("%d after %v: %v %s", code, time.Since(start), lines, out)
	}
	if left, _ := os.ReadDir(filepath.Join(tested.dir, "boxes/boxes/let-go")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	// It is let go before there is a box.
	lines, out, code = b.events(t, time.Millisecond, "--", "sleep", "300")
	if code != 137 {
		t.Errorf("%d: %v %s", code, lines, out)
	}
}

// The door takes no descriptor that was not handed over, and no file by a link.
func TestBoxTellsNobodyElse(t *testing.T) {
	b := newBoxed(t)
	must(t, os.Symlink("/dev/null", b.dir+"/link"))
	for _, args := range [][]string{
		{"--json-events", "0"},
		{"--json-events", "2"},
		{"--json-events", "7"},
		{"--json-events", "-1"},
		{"--json-events", "link"},
		{"--json-events", "/dev/null"},
		{"--until-fd", "1"},
		{"--until-fd", "99999999999"},
		{"--until-fd", "x"},
	} {
		if out, errs, code := b.run(t, append(args, "--", "echo", "it ran")...); code != 125 || out != "" {
			t.Errorf("%v: %d %s%s", args, code, out, errs)
		}
	}
	lines, out, code := b.events(t, 0, "--ro", "/no/such/file", "--", "true")
	if code != 125 || len(lines) != 1 || lines[0]["event"] != "failed" || !strings.Contains(lines[0]["message"].(string), "/no/such/file") {
		t.Errorf("%d %v %s", code, lines, out)
	}
}
