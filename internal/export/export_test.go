package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/export/sink"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, cfg policy.Audit, n int) {
	t.Helper()
	for range n {
		must(t, audit.Append(cfg, map[string]string{"door": "create", "id": "c1", "outcome": "refused"}, time.Unix(1, 0)))
	}
}

// flaky takes some of a batch and fails, as receivers do.
type flaky struct {
	random *rand.Rand
	got    []record.Record
	refuse bool
}

var errAway = errors.New("away")

func (f *flaky) Send(_ context.Context, batch []record.Record) (sink.Sent, error) {
	n := f.random.IntN(len(batch) + 1)
	f.got = append(f.got, batch[:n]...)
	if f.refuse && n > 0 && batch[n-1].Kind != record.Dropped && f.random.IntN(3) == 0 {
		f.got = f.got[:len(f.got)-1]
		return sink.Sent{Done: n, Refused: 1, Why: "no"}, nil
	}
	if n < len(batch) {
		return sink.Sent{Done: n}, errAway
	}
	return sink.Sent{Done: n}, nil
}

func (f *flaky) Close() error { return nil }

func feed(t testing.TB, dir, log string, s sink.Sink) *Feed {
	return &Feed{
		Name: "a", Sink: s, Log: log, State: dir, From: config.Oldest, Say: func(string, ...any) {},
		Pause: func(context.Context, time.Duration) {},
	}
}

// A receiver that is away now and then, and an exporter that is killed now and then,
// lose nothing; a line comes twice only where the exporter was killed.
func TestEachLineArrives(t *testing.T) {
	for seed := range uint64(20) {
		dir := t.TempDir()
		cfg := policy.Audit{Path: filepath.Join(dir, "audit.jsonl"), MaxSize: 4000, Keep: 2}
		to := &flaky{random: rand.New(rand.NewPCG(seed, 1)), refuse: seed%2 == 1}
		kills := 0
		written, gone, refused := 0, uint64(0), uint64(0)
		for range 15 {
			n := to.random.IntN(30)
			write(t, cfg, n)
			written += n
			f := feed(t, dir, cfg.Path, to)
			if f.Once = to.random.IntN(2) == 0; f.Once {
				if err := f.Run(t.Context()); errors.Is(err, errAway) { // as killed
					kills++
				}
				continue
			}
			ctx, cancel := context.WithCancel(t.Context())
			f.Pause = func(_ context.Context, d time.Duration) {
				if d == poll {
					cancel()
				}
			}
			must(t, f.Run(ctx))
		}
		seen := map[uint64]int{}
		last := uint64(0)
		for _, r := range to.got {
			switch r.Kind {
			case record.Lost:
				gone += r.Missing
				last += r.Missing
			case record.Dropped:
				refused += r.Missing
			default:
				seen[r.Seq]++
				last = max(last, r.Seq)
			}
		}
		for at, n := range seen {
			if n > 1+kills {
				t.Errorf("seed %d: line %d came %d times, and the exporter was killed %d times", seed, at, n, kills)
			}
		}
		f := feed(t, dir, cfg.Path, &flaky{random: rand.New(rand.NewPCG(9, 9))})
		at, err := f.start()
		must(t, err)
		left := uint64(written) - at.Seq
		if uint64(len(seen))+gone+refused+left < uint64(written) {
			t.Errorf("seed %d: %d of %d lines came, %d were told as gone, %d as refused, %d are to come", seed, len(seen), written, gone, refused, left)
		}
	}
}

// Lines that rotation took are told of.
func TestRotationIsTold(t *testing.T) {
	dir := t.TempDir()
	cfg := policy.Audit{Path: filepath.Join(dir, "audit.jsonl"), MaxSize: 1000, Keep: 1}
	write(t, cfg, 1)
	to := &whole{}
	f := feed(t, dir, cfg.Path, to)
	f.Once = true
	must(t, f.Run(t.Context()))
	write(t, cfg, 50)
	f = feed(t, dir, cfg.Path, to)
	f.Once = true
	must(t, f.Run(t.Context()))
	if r := to.got[1]; r.Kind != record.Lost || r.Missing == 0 || r.Missing+uint64(len(to.got))-1 != 51 || !strings.Contains(r.Message, "rotation took the lines 2 to") {
		t.Errorf("%+v", r)
	}
}

// whole takes everything.
type whole struct{ got []record.Record }

func (w *whole) Send(_ context.Context, batch []record.Record) (sink.Sent, error) {
	w.got = append(w.got, batch...)
	return sink.Sent{Done: len(batch)}, nil
}

func (w *whole) Close() error { return nil }

func TestFromNowAndSeverity(t *testing.T) {
	dir := t.TempDir()
	cfg := policy.Audit{Path: filepath.Join(dir, "audit.jsonl")}
	write(t, cfg, 3)
	to := &whole{}
	for range 2 {
		f := feed(t, dir, cfg.Path, to)
		f.Once, f.From, f.Least = true, config.Now, record.Warning
		must(t, f.Run(t.Context()))
		write(t, cfg, 1)
		must(t, audit.Append(cfg, map[string]string{"door": "create", "outcome": "tightened"}, time.Unix(1, 0)))
	}
	if len(to.got) != 1 || to.got[0].Seq != 4 {
		t.Errorf("%+v", to.got)
	}
}

// hook is a receiver that answers what it is told to.
type hook struct {
	mu     sync.Mutex
	bodies []string
	keys   map[string]int
	answer func(n int) int
	*httptest.Server
}

func newHook(t *testing.T, answer func(n int) int) *hook {
	h := &hook{keys: map[string]int{}, answer: answer}
	n := 0
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		n++
		code := h.answer(n)
		if code == http.StatusOK {
			h.bodies = append(h.bodies, string(body))
			h.keys[r.Header.Get("Idempotency-Key")]++
		}
		if code == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) taken() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bodies)
}

func hooked(t *testing.T, dir, log, url string, records int) *Queued {
	t.Helper()
	c, err := config.Parse([]byte(fmt.Sprintf("version: 1\nstate: %s\nsinks: [{name: hook, webhook: {url: %s, queue: {maxRecords: %d}}}]", dir, url, records)))
	must(t, err)
	e, err := New(c, World{Log: log, Host: encode.Host{Name: "h", Version: "1"}, Getenv: func(string) string { return "" }, Say: t.Logf})
	must(t, err)
	q := e.runners[0].(*Queued)
	q.Pause = func(ctx context.Context, _ time.Duration) { Wait(ctx, time.Millisecond) }
	return q
}

func runUntil(t *testing.T, q *Queued, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	for !done() {
		if ctx.Err() != nil {
			t.Error("it did not come to it in time")
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	must(t, <-ended)
}

// Failures and redirects are tried again; each record comes once, in order.
func TestWebhookTriesAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := policy.Audit{Path: filepath.Join(dir, "audit.jsonl")}
	write(t, cfg, 10)
	codes := []int{500, 503, 302, 401, 404, 429}
	h := newHook(t, func(n int) int {
		if n <= len(codes) {
			return codes[n-1]
		}
		return 200
	})
	q := hooked(t, dir, cfg.Path, h.URL, 100)
	runUntil(t, q, func() bool { return h.taken() == 10 })
	if len(h.keys) != 10 || !strings.HasPrefix(h.bodies[9], `{"seq":10,`) {
		t.Errorf("%v", h.bodies)
	}
	if s := q.Sending(); s.Sent != 10 || s.Failed != 6 || s.Behind != 0 {
		t.Errorf("%+v", s)
	}
}

// A receiver that is away fills the queue; what was dropped is told when it is back,
// before what is left.
func TestFullQueueIsTold(t *testing.T) {
	dir := t.TempDir()
	cfg := policy.Audit{Path: filepath.Join(dir, "audit.jsonl")}
	write(t, cfg, 10)
	var away sync.Map
	away.Store("away", true)
	h := newHook(t, func(int) int {
		if _, ok := away.Load("away"); ok {
			return 503
		}
		return 200
	})
	runUntil(t, hooked(t, dir, cfg.Path, h.URL, 4), func() bool {
		q, _ := filepath.Glob(filepath.Join(dir, "hook.queue", "*10.json"))
		return len(q) == 1
	})
	away.Delete("away")
	q := hooked(t, dir, cfg.Path, h.URL, 4) // as after a restart
	runUntil(t, q, func() bool { return h.taken() == 5 })
	if !strings.Contains(h.bodies[0], `"kind":"dropped"`) || !strings.Contains(h.bodies[0], `"missing":6`) || !strings.HasPrefix(h.bodies[1], `{"seq":7,`) {
		t.Errorf("%s", strings.Join(h.bodies, "\n"))
	}
}

// A record that the receiver never takes holds up no other, and is told.
func TestRefusedForGood(t *testing.T) {
	dir := t.TempDir()
	cfg := policy.Audit{Path: filepath.Join(dir, "audit.jsonl")}
	write(t, cfg, 3)
	h := newHook(t, func(n int) int {
		if n == 1 {
			return 422
		}
		return 200
	})
	runUntil(t, hooked(t, dir, cfg.Path, h.URL, 10), func() bool { return h.taken() == 3 })
	if all := strings.Join(h.bodies, "\n"); !strings.Contains(all, `"kind":"dropped"`) || strings.Contains(all, `{"seq":1,"hash"`) && !strings.Contains(all, `"missing":1`) {
		t.Errorf("%s", all)
	}
}
