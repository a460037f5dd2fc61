package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestAnEventHasABound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
	if err := Append(policy.Audit{Path: path}, event{Pad: strings.Repeat("x", MaxEvent)}, time.Now()); !errors.Is(err, ErrLarge) {
		t.Error(err)
	}
}

func TestNothingHiddenReachesTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
	hostile := "a\nb\x1b[2J\u202e\u009b\xff"
	must(t, Append(policy.Audit{Path: path}, event{Pad: hostile}, time.Now()))
	raw, err := os.ReadFile(path)
	must(t, err)
	if strings.Count(string(raw), "\n") != 1 || strings.ContainsAny(string(raw), "\x1b\u202e\u009b") {
		t.Errorf("%q", raw)
	}
	if r := verify(t, path); !r.OK() || r.Lines != 1 {
		t.Error(r)
	}
}

// One workload that is refused again and again leaves the others their lines.
func TestRefusalsHaveARate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
	cfg := policy.Audit{Path: path, MaxSize: 1 << 20, Keep: 2}
	now := time.Unix(6000, 0)
	for i := range 1000 {
		must(t, AppendRefusal(cfg, "noisy", event{Writer: "noisy", N: i}, now))
	}
	must(t, AppendRefusal(cfg, "quiet", event{Writer: "quiet"}, now))
	must(t, Append(cfg, event{Writer: "started"}, now))
	must(t, AppendRefusal(cfg, "noisy", event{Writer: "noisy", N: 1000}, now.Add(time.Minute)))
	raw, err := os.ReadFile(path)
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != refusedOne+3 || !strings.Contains(lines[refusedOne+2], fmt.Sprintf(`"unnamed":%d`, 1000-refusedOne)) {
		t.Errorf("%d lines: %s", len(lines), lines[len(lines)-1])
	}
	if r := verify(t, path); !r.OK() {
		t.Error(r)
	}
	// All together have one too.
	for i := range 1000 {
		must(t, AppendRefusal(cfg, fmt.Sprint("workload ", i), event{N: i}, now.Add(2*time.Minute)))
	}
	if r := verify(t, path); r.Lines > refusedOne+3+refusedAll {
		t.Error(r)
	}
	if info, err := os.Stat(path + ".rate"); err != nil || info.Size() > ratePlaces*rateWidth {
		t.Error(info, err)
	}
}

func TestRotationNamesWhatItDropped(t *testing.T) {
	for _, keep := range []int{0, 1, 3} {
		path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
		for i := range 200 {
			must(t, Append(policy.Audit{Path: path, MaxSize: 1500, Keep: keep}, event{"a", i, ""}, time.Unix(1, 0)))
		}
		r := verify(t, path)
		if !r.OK() || r.Dropped == 0 || int(r.Dropped)+r.Lines != 200 || !strings.Contains(r.String(), fmt.Sprintf("lines 1 to %d", r.Dropped)) {
			t.Errorf("keep %d: %v", keep, r)
		}
		if keep == 0 {
			continue
		}
		// The oldest segment that is left goes without a rotation.
		must(t, os.Remove(segment(path, keep)))
		if r := verify(t, path); r.OK() || r.Bad.What != "removed" {
			t.Errorf("keep %d: %v", keep, r)
		}
	}
}

func TestTryAppendDoesNotWaitLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
	write(t, path, 1)
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
	start := time.Now()
	if err := TryAppend(policy.Audit{Path: path}, event{}, start); !errors.Is(err, ErrLocked) || time.Since(start) > 5*time.Second {
		t.Error(err, time.Since(start))
	}
}
