package queue

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// A queue is as a list with a bound, also when it is opened anew in between.
func TestQueueIsAListWithABound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		most := rapid.IntRange(1, 6).Draw(rt, "records")
		open := func() *Queue {
			q, err := Open(filepath.Join(dir, "q"), 1<<20, most)
			if err != nil {
				rt.Fatal(err)
			}
			return q
		}
		q := open()
		var model []string
		dropped, n := uint64(0), 0
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				var items []Item
				if len(model) > 0 && rapid.Bool().Draw(rt, "again") {
					items = append(items, Item{rapid.SampledFrom(model).Draw(rt, "key"), json.RawMessage(`{}`)})
				}
				for range rapid.IntRange(0, 4).Draw(rt, "new") {
					n++
					items = append(items, Item{fmt.Sprint("k", n), json.RawMessage(`{}`)})
					model = append(model, fmt.Sprint("k", n))
				}
				if err := q.Put(items...); err != nil {
					rt.Fatal(err)
				}
				if over := len(model) - most; over > 0 {
					model, dropped = model[over:], dropped+uint64(over)
				}
			},
			"send": func(rt *rapid.T) {
				item, at, ok, err := q.Oldest()
				if err != nil || ok != (len(model) > 0) || ok && item.Key != model[0] {
					rt.Fatalf("%v %v %v, want %v", item, ok, err, model)
				}
				if ok {
					model = model[1:]
					if err := q.Done(at); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"open anew": func(*rapid.T) { q = open() },
			"": func(rt *rapid.T) {
				if got, _ := q.Size(); got != len(model) || q.Dropped() != dropped {
					rt.Fatalf("%d wait and %d dropped, want %d and %d", got, q.Dropped(), len(model), dropped)
				}
			},
		})
	})
}

// Bytes have a bound too, and what is garbled is counted as dropped.
func TestQueueBytesAndGarbage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "q")
	q, err := Open(dir, 1000, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := q.Put(Item{fmt.Sprint(i), json.RawMessage(`"0123456789012345678901234567890123456789012345678901234567890123456789"`)}); err != nil {
			t.Fatal(err)
		}
	}
	n, size := q.Size()
	if size > 1000 || n < 5 || q.Dropped() != uint64(20-n) {
		t.Fatalf("%d records, %d bytes, %d dropped", n, size, q.Dropped())
	}
	item, at, _, _ := q.Oldest()
	if item.Key != fmt.Sprint(20-n) {
		t.Errorf("the oldest is %s", item.Key)
	}
	if err := os.WriteFile(q.file(at), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := q.Dropped()
	q, err = Open(dir, 1000, 100)
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := q.Size(); m != n-1 || q.Dropped() != before+1 {
		t.Errorf("%d records, %d dropped", m, q.Dropped())
	}
	if err := q.Told(q.Dropped()); err != nil || q.Dropped() != 0 {
		t.Error(err, q.Dropped())
	}
}
