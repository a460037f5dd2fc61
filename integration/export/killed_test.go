package export

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tally is which lines arrived, and which were told as lost.
type tally struct {
	mu         sync.Mutex
	seen, lost map[uint64]int
}

func newTally() *tally { return &tally{seen: map[uint64]int{}, lost: map[uint64]int{}} }

var lost = regexp.MustCompile(`rotation took the lines (\d+) to (\d+) of`)

func (c *tally) take(seq uint64, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := lost.FindStringSubmatch(text)
	if m == nil {
		c.seen[seq]++
		return
	}
	first, _ := strconv.ParseUint(m[1], 10, 64)
	last, _ := strconv.ParseUint(m[2], 10, 64)
	for n := first; n <= last; n++ {
		c.lost[n]++
	}
}

// silent are the lines that neither came nor were told as lost.
func (c *tally) silent(n int) (all []uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := uint64(1); at <= uint64(n); at++ {
		if c.seen[at] == 0 && c.lost[at] == 0 {
			all = append(all, at)
		}
	}
	return all
}

// Killed at any moment and started again, while the log grows and is rotated: every
// receiver gets each line, or is told that it is lost.
func TestKilled(t *testing.T) {
	p := newPlace(t)
	p.cfg.MaxSize, p.cfg.Keep = 100_000, 3
	hook := newTally()
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var record struct {
			Seq     uint64
			Message string
		}
		if err := json.Unmarshal(body, &record); err != nil {
			t.Error(err)
		}
		hook.take(record.Seq, record.Message)
	}))
	defer h.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	siem := &messages{}
	go siem.listen(l)
	p.configure(t, "version: 1\nsinks:\n  - {name: hook, webhook: {url: '"+h.URL+"'}}\n  - {name: siem, syslog: {address: 'tcp://"+l.Addr().String()+"'}}\n  - {name: lines, file: {path: "+p.dir+"/out.jsonl}}\nmetrics: {listen: '127.0.0.1:0'}\n")
	for range 25 {
		_, kill := p.start(t)
		for range rand.IntN(4) {
			p.write(t, rand.IntN(60))
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		}
		kill(syscall.SIGKILL)
	}
	p.once(t)
	file := newTally()
	for line := range strings.Lines(read(t, p.dir+"/out.jsonl")) {
		var l struct {
			Seq    uint64
			Notice struct{ Message string }
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		file.take(l.Seq, l.Notice.Message)
	}
	bySyslog := newTally()
	waitFor(t, "the messages that are on their way", func() bool {
		siem.mu.Lock()
		defer siem.mu.Unlock()
		bySyslog = newTally()
		for _, m := range siem.all {
			var seq uint64
			for _, word := range strings.Fields(*m.Message) {
				if v, ok := strings.CutPrefix(word, "externalId="); ok {
					must(t, json.Unmarshal([]byte(v), &seq))
				}
			}
			bySyslog.take(seq, *m.Message)
		}
		return len(bySyslog.silent(p.n)) == 0
	})
	for name, c := range map[string]*tally{"webhook": hook, "file": file, "syslog": bySyslog} {
		if silent := c.silent(p.n); len(silent) > 0 {
			t.Errorf("%s: %d of %d lines are neither there nor told as lost: %v", name, len(silent), p.n, silent)
		}
		twice := 0
		for _, n := range c.seen {
			twice += n - 1
		}
		t.Logf("%s: %d of %d lines came, %d told as lost, %d came again", name, len(c.seen), p.n, len(c.lost), twice)
	}
	var counts struct {
		At        struct{ Seq uint64 }
		Decisions map[string]uint64
		Missing   uint64
	}
	must(t, json.Unmarshal([]byte(read(t, p.dir+"/state/metrics.counts")), &counts))
	sum := counts.Missing
	for _, n := range counts.Decisions {
		sum += n
	}
	if sum != uint64(p.n) || counts.At.Seq != uint64(p.n) {
		t.Errorf("the metrics count %d of %d lines", sum, p.n)
	}
}

// The examples of the page that need no receiver run.
func TestExamples(t *testing.T) {
	p := newPlace(t)
	p.write(t, 2)
	p.configure(t, swap(t, example(t, "JSON Lines"), "/var/log/hatchdog/export.jsonl", p.dir+"/export.jsonl"))
	out, err := p.command("--once").Output()
	must(t, err)
	if log := read(t, p.cfg.Path); string(out) != log || read(t, p.dir+"/export.jsonl") != log {
		t.Errorf("the lines are not those of the log:\n%s", out)
	}
	must(t, os.WriteFile(p.dir+"/hook", []byte("t0ken"), 0o600))
	got := make(chan string, 10)
	h := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer h.Close()
	p.configure(t, swap(t, example(t, "A webhook"), "https://hooks.example/hatchdog", h.URL))
	p.once(t)
	if len(got) != 2 || <-got != "Bearer t0ken" {
		t.Errorf("%d posts", len(got))
	}
}
