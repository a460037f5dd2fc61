package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/policy"
)

type event struct {
	Writer string
	N      int
	Pad    string
}

func TestMain(m *testing.M) {
	if path := os.Getenv("AUDIT_WRITER"); path != "" {
		size, _ := strconv.ParseInt(os.Getenv("AUDIT_MAX"), 10, 64)
		for n := range 100 {
			if err := Append(policy.Audit{Path: path, MaxSize: size, Keep: 1000}, event{strconv.Itoa(os.Getpid()), n, "x"}, time.Now()); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path string, n int) {
	t.Helper()
	for i := range n {
		must(t, Append(policy.Audit{Path: path, MaxSize: 1 << 20, Keep: 3}, event{"a", i, ""}, time.Unix(1, 0)))
	}
}

func verify(t *testing.T, path string) Report {
	t.Helper()
	r, err := Verify(path)
	must(t, err)
	return r
}

func TestManyProcessesOneChain(t *testing.T) {
	for _, size := range []string{"1000000", "3000"} {
		path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				cmd := exec.Command("/proc/self/exe")
				cmd.Env = append(os.Environ(), "AUDIT_WRITER="+path, "AUDIT_MAX="+size)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		wg.Wait()
		if r := verify(t, path); !r.OK() || r.Lines != 600 {
			t.Errorf("segments of %s: %v", size, r)
		}
		seen := map[string]int{}
		must(t, Read(path, func(raw []byte) error {
			var e event
			must(t, json.Unmarshal(raw, &e))
			if e.N != seen[e.Writer] {
				t.Errorf("writer %s: line %d, want %d", e.Writer, e.N, seen[e.Writer])
			}
			seen[e.Writer]++
			return nil
		}))
		if len(seen) != 6 {
			t.Error(seen)
		}
	}
}

func TestTampering(t *testing.T) {
	edit := func(f func(lines [][]byte) [][]byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, bytes.Join(f(bytes.SplitAfter(data, []byte{'\n'})), nil), 0o600))
		}
	}
	for name, c := range map[string]struct {
		do   func(*testing.T, string)
		want string
	}{
		"nothing":       {func(*testing.T, string) {}, "whole"},
		"a byte":        {edit(func(l [][]byte) [][]byte { l[4][len(l[4])-5] ^= 1; return l }), ":5: changed"},
		"the last line": {edit(func(l [][]byte) [][]byte { l[9] = bytes.Replace(l[9], []byte(`"N":9`), []byte(`"N":8`), 1); return l }), ":10: changed"},
		"one removed":   {edit(func(l [][]byte) [][]byte { return append(l[:3:3], l[4:]...) }), ":4: removed"},
		"first removed": {edit(func(l [][]byte) [][]byte { return l[1:] }), ":1: removed"},
		"last removed":  {edit(func(l [][]byte) [][]byte { return l[:9] }), ":10: cut"},
		"cut":           {edit(func(l [][]byte) [][]byte { l[9] = l[9][:20]; return l }), ":10: cut"},
		"swapped":       {edit(func(l [][]byte) [][]byte { l[2], l[3] = l[3], l[2]; return l }), ":3: removed"},
		"not JSON":      {edit(func(l [][]byte) [][]byte { l[2] = []byte("x\n"); return l }), ":3: changed"},
		"head removed":  {func(t *testing.T, p string) { must(t, os.Remove(p+".head")) }, ".head: removed"},
		"head garbled":  {func(t *testing.T, p string) { must(t, os.WriteFile(p+".head", []byte("x"), 0o600)) }, ".head: changed"},
		"emptied":       {func(t *testing.T, p string) { must(t, os.Truncate(p, 0)) }, ":1: cut"},
	} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		write(t, path, 10)
		c.do(t, path)
		if r := verify(t, path); !strings.Contains(r.String(), c.want) {
			t.Errorf("%s: %v, want %s", name, r, c.want)
		}
		if c.want == "whole" || name == "head garbled" || name == "head removed" {
			continue
		}
		// What is written later does not hide it.
		write(t, path, 1)
		if r := verify(t, path); r.OK() {
			t.Errorf("%s: hidden by the next line", name)
		}
	}
}

func TestSegments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	cfg := policy.Audit{Path: path, MaxSize: 600, Keep: 3}
	for n := range 40 {
		must(t, Append(cfg, event{"a", n, ""}, time.Unix(1, 0)))
	}
	if r := verify(t, path); !r.OK() || r.Segments != 4 {
		t.Fatal(r)
	}
	if _, err := os.Stat(path + ".4"); err == nil {
		t.Error("more segments than are kept")
	}
	must(t, os.Remove(path+".2"))
	if r := verify(t, path); r.OK() || r.Bad.What != "removed" || r.Bad.File != path+".1" {
		t.Error(r)
	}
}

// A writer that was killed leaves part of a line: the next one takes it away
// and says so.
// A rotation that was killed before the new segment had its name leaves the old
// one with two.
func TestRotationCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, path, 5)
	must(t, os.Link(path, path+".1"))
	must(t, os.WriteFile(path+".new", nil, 0o600))
	if r := verify(t, path); !r.OK() || r.Lines != 5 {
		t.Error("before the next line:", r)
	}
	must(t, Append(policy.Audit{Path: path, MaxSize: 1, Keep: 3}, event{"a", 5, ""}, time.Unix(1, 0)))
	if r := verify(t, path); !r.OK() || r.Lines != 6 || r.Segments != 2 {
		t.Error("after it:", r)
	}
}

func TestUnfinishedLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, path, 2)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"seq":3,"ti`)
	must(t, err)
	must(t, f.Close())
	write(t, path, 1)
	data, err := os.ReadFile(path)
	must(t, err)
	if r := verify(t, path); !r.OK() || r.Lines != 3 || !strings.Contains(string(data), `"repaired":12`) {
		t.Errorf("%v\n%s", r, data)
	}
}

// Killed between the line and the head.
func TestHeadBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, path, 2)
	head, err := os.ReadFile(path + ".head")
	must(t, err)
	write(t, path, 1)
	must(t, os.WriteFile(path+".head", head, 0o600))
	if r := verify(t, path); !r.OK() {
		t.Error(r)
	}
	write(t, path, 1)
	if r := verify(t, path); !r.OK() || r.Lines != 4 {
		t.Error(r)
	}
}

func TestLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for n := range 3 {
		must(t, Append(policy.Audit{Path: path}, event{"a", n, strings.Repeat("y", 3*window)}, time.Unix(1, 0)))
	}
	if r := verify(t, path); !r.OK() || r.Lines != 3 {
		t.Error(r)
	}
}

func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, path, 2)
	before, err := os.ReadFile(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(len(before)) + 20, Max: old.Max}))
	err = Append(policy.Audit{Path: path}, event{"a", 2, ""}, time.Unix(1, 0))
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old))
	if !errors.Is(err, unix.EFBIG) {
		t.Errorf("no error of the short write: %v", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Errorf("part of the line stays: %q", after[len(before):])
	}
}

func TestBadPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want error
	}{
		"symlink":   {func(t *testing.T, p string) { must(t, os.Symlink("/dev/null", p)) }, ErrNotRegular},
		"fifo":      {func(t *testing.T, p string) { must(t, unix.Mkfifo(p, 0o600)) }, ErrNotRegular},
		"writable":  {func(t *testing.T, p string) { must(t, os.WriteFile(p, nil, 0o600)); must(t, os.Chmod(p, 0o666)) }, ErrWritable},
		"directory": {func(t *testing.T, p string) { must(t, os.Mkdir(p, 0o700)) }, unix.EISDIR},
		"open dir":  {func(t *testing.T, p string) { must(t, os.Chmod(filepath.Dir(p), 0o777)) }, ErrWritable},
	} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		c.make(t, path)
		if err := Append(policy.Audit{Path: path}, event{}, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte("{\"seq\":1,\"prev\":\"\",\"event\":{}}\n"), []byte("1 0"))
	f.Add([]byte("\n\n"), []byte{})
	f.Fuzz(func(t *testing.T, data, head []byte) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		must(t, os.WriteFile(path, data, 0o600))
		must(t, os.WriteFile(path+".head", head, 0o600))
		_, _ = Verify(path)
		_ = Read(path, func([]byte) error { return nil })
	})
}

func BenchmarkAppend(b *testing.B) {
	path := filepath.Join(b.TempDir(), "audit.jsonl")
	for b.Loop() {
		must(b, Append(policy.Audit{Path: path, MaxSize: 64 << 20, Keep: 1}, event{"a", 1, strings.Repeat("z", 4000)}, time.Unix(1, 0)))
	}
}
