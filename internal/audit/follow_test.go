package audit

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func everything(t testing.TB, f *Follower) (lines []uint64, gaps []Gap) {
	t.Helper()
	for {
		all, err := f.Next(7)
		must(t, err)
		if len(all) == 0 {
			return lines, gaps
		}
		for _, e := range all {
			if e.Gap != nil {
				gaps = append(gaps, *e.Gap)
			} else {
				lines = append(lines, e.Seq)
			}
		}
	}
}

func numbers(from, to uint64) string {
	var all []uint64
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return fmt.Sprint(all)
}

// Whatever is written, rotated, cut off and started anew in between: a reader gets
// each line once and in order, and a number for those that rotation took.
func TestFollowGivesEachLine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		path := filepath.Join(dir, "audit.jsonl")
		cfg := policy.Audit{Path: path, MaxSize: int64(rapid.IntRange(300, 5000).Draw(rt, "size")), Keep: rapid.IntRange(0, 4).Draw(rt, "keep")}
		f := Follow(path, Position{})
		written, next := uint64(0), uint64(1)
		read := func() {
			for {
				all, err := f.Next(rapid.IntRange(1, 9).Draw(rt, "most"))
				must(t, err)
				if len(all) == 0 {
					return
				}
				for _, e := range all {
					if e.Gap != nil {
						if e.Gap.Why != GapRotated || e.Gap.First != next || e.Gap.Lines != e.Gap.Last-e.Gap.First+1 {
							rt.Fatalf("%+v, and line %d is next", *e.Gap, next)
						}
						next = e.Gap.Last + 1
						continue
					}
					if e.Seq != next {
						rt.Fatalf("line %d came for line %d", e.Seq, next)
					}
					next++
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				for range rapid.IntRange(1, 12).Draw(rt, "lines") {
					must(t, Append(cfg, event{"a", 1, strings.Repeat("x", rapid.IntRange(0, 400).Draw(rt, "pad"))}, time.Unix(1, 0)))
					written++
				}
			},
			"killed writer": func(*rapid.T) {
				if written == 0 {
					return
				}
				file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				must(t, err)
				_, err = file.WriteString(`{"seq":9,"ti`)
				must(t, err)
				file.Close()
			},
			"read": func(*rapid.T) { read() },
			"restart": func(*rapid.T) {
				at := f.At()
				f.Close()
				f = Follow(path, at)
			},
		})
		read()
		f.Close()
		if written > 0 && next != written+1 {
			rt.Fatalf("read up to %d of %d", next-1, written)
		}
	})
}

func TestFollowNamesGaps(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string, lines [][]byte)
		want  string
	}{
		"removed": {func(p string, l [][]byte) { rewrite(p, append(l[:6:6], l[7:]...)) }, "[{removed 1 7 7}]"},
		"changed": {func(p string, l [][]byte) {
			l[6] = bytes.Replace(l[6], []byte(`"N":1`), []byte(`"N":9`), 1)
			rewrite(p, l)
		}, "[{changed 0 7 7}]"},
		"unreadable": {func(p string, l [][]byte) { rewrite(p, append(l, []byte("no line of ours\x00"))) }, "[{unreadable 1 0 0}]"},
		"too long":   {func(p string, l [][]byte) { rewrite(p, append(l, bytes.Repeat([]byte("x"), 5<<20))) }, "[{unreadable 1 0 0}]"},
		"another":    {func(p string, l [][]byte) { os.Remove(p); os.Remove(headFile(p)) }, "[{replaced 0 0 0}]"},
		"cut":        {func(p string, l [][]byte) { rewrite(p, l[:3]); os.Remove(headFile(p)) }, "[{replaced 0 0 0}]"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			write(t, path, 5)
			f := Follow(path, Position{})
			everything(t, f)
			at := f.At()
			f.Close()
			if at.Seq != 5 {
				t.Fatal(at)
			}
			if name != "another" && name != "cut" {
				write(t, path, 5)
			}
			data, err := os.ReadFile(path)
			must(t, err)
			c.spoil(path, bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")))
			write(t, path, 1)
			lines, gaps := everything(t, Follow(path, at))
			if got := fmt.Sprint(gaps); got != c.want {
				t.Errorf("%s, want %s; lines %v", got, c.want, lines)
			}
		})
	}
}

func rewrite(path string, lines [][]byte) {
	if err := os.WriteFile(path, append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
		panic(err)
	}
}

// Many processes write and rotate while one reads.
func TestFollowWhileOthersWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	const writers = 4
	var cmds []*exec.Cmd
	for range writers {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "AUDIT_WRITER="+path, "AUDIT_MAX=3000")
		must(t, cmd.Start())
		cmds = append(cmds, cmd)
	}
	f := Follow(path, Position{})
	defer f.Close()
	var lines []uint64
	for end := time.Now().Add(time.Minute); len(lines) < writers*100 && time.Now().Before(end); {
		more, gaps := everything(t, f)
		if len(gaps) > 0 {
			t.Fatal(gaps)
		}
		lines = append(lines, more...)
	}
	for _, cmd := range cmds {
		must(t, cmd.Wait())
	}
	if got, want := fmt.Sprint(lines), numbers(1, writers*100); got != want {
		t.Errorf("%s", got)
	}
}

func FuzzFollow(f *testing.F) {
	f.Add([]byte(`{"seq":2,"event":{}}`+"\n"+`{"seq":1,"event":{}}`+"\n"), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, at uint64) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		must(t, os.WriteFile(path, data, 0o600))
		fl := Follow(path, Position{at, "x"})
		defer fl.Close()
		lines, gaps := everything(t, fl)
		if n := bytes.Count(data, []byte("\n")); len(lines) > n || len(gaps) > 2*n+1 {
			t.Errorf("%d lines and %d gaps of %d lines", len(lines), len(gaps), n)
		}
	})
}

// Whoever never read the log misses nothing that was gone before.
func TestOldest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	at, err := Oldest(path)
	must(t, err)
	if at != (Position{}) {
		t.Error(at)
	}
	cfg := policy.Audit{Path: path, MaxSize: 1000, Keep: 1}
	for range 30 {
		must(t, Append(cfg, event{"a", 1, ""}, time.Unix(1, 0)))
	}
	at, err = Oldest(path)
	must(t, err)
	lines, gaps := everything(t, Follow(path, at))
	if len(gaps) > 0 || at.Seq == 0 || fmt.Sprint(lines) != numbers(at.Seq+1, 30) {
		t.Errorf("%v: %v %v", at, lines, gaps)
	}
	if lines, gaps = everything(t, Follow(path, Position{})); len(gaps) != 1 || gaps[0].Last != at.Seq || len(lines) != 30-int(at.Seq) {
		t.Errorf("%v %v", lines, gaps)
	}
}
