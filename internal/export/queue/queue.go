// Package queue keeps on disk what a receiver has not taken yet.
//
// Guarantees: what Put returned for is there after a crash; the oldest comes first;
// the queue has a bound in bytes and in records, and where it is full the oldest
// goes and is counted, also across a crash.
// Does not cover: more than one process.
// Requires: a directory of its own.
// Spec fields touched: none.
package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/hatchdog/hatchdog/internal/export/place"
)

// Item is one document and the key under which it is sent.
type Item struct {
	Key string          `json:"key"`
	Doc json.RawMessage `json:"doc"`
}

// Queue is one queue.
type Queue struct {
	dir     string
	bytes   int64
	records int

	mu      sync.Mutex
	waiting []entry
	size    int64
	next    uint64
	keys    map[string]bool
	dropped uint64
}

type entry struct {
	n    uint64
	size int64
	key  string
}

const (
	suffix      = ".json"
	droppedFile = "dropped"
)

// Open reads the queue in dir.
func Open(dir string, maxBytes int64, maxRecords int) (*Queue, error) {
	if err := place.Dir(dir); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	q := &Queue{dir: dir, bytes: maxBytes, records: maxRecords, next: 1, keys: map[string]bool{}}
	data, err := os.ReadFile(filepath.Join(dir, droppedFile))
	if err == nil {
		q.dropped, _ = strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64) // garbled is none
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("queue: %w", err)
	}
	names, err := os.ReadDir(dir) // sorted, and the numbers have one width
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	for _, name := range names {
		n, err := strconv.ParseUint(strings.TrimSuffix(name.Name(), suffix), 10, 64)
		if err != nil || !strings.HasSuffix(name.Name(), suffix) {
			continue
		}
		item, size, err := q.read(n)
		if err != nil { // garbled by somebody: it cannot be sent
			if err := errors.Join(q.count(q.dropped+1), os.Remove(q.file(n))); err != nil {
				return nil, err
			}
			continue
		}
		q.enter(entry{n, size, item.Key})
	}
	return q, nil
}

func (q *Queue) enter(e entry) {
	q.waiting = append(q.waiting, e)
	q.size += e.size
	q.keys[e.key] = true
	q.next = max(q.next, e.n+1)
}

func (q *Queue) file(n uint64) string { return filepath.Join(q.dir, fmt.Sprintf("%020d%s", n, suffix)) }

func (q *Queue) read(n uint64) (Item, int64, error) {
	data, err := os.ReadFile(q.file(n))
	if err != nil {
		return Item{}, 0, fmt.Errorf("queue: %w", err)
	}
	var item Item
	if err := json.Unmarshal(data, &item); err != nil {
		return Item{}, 0, fmt.Errorf("queue: %s: %w", q.file(n), err)
	}
	return item, int64(len(data)), nil
}

// Put adds items, on disk when it returns. One that waits already, by its key, is
// not added again.
func (q *Queue) Put(items ...Item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var files []place.File
	var entries []entry
	adding, size := map[string]bool{}, int64(0)
	for _, item := range items {
		if q.keys[item.Key] || adding[item.Key] {
			continue
		}
		data, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("queue: %w", err)
		}
		e := entry{q.next + uint64(len(entries)), int64(len(data)), item.Key}
		entries, files = append(entries, e), append(files, place.File{Path: q.file(e.n), Data: data})
		adding[e.key] = true
		size += e.size
	}
	for len(q.waiting) > 0 && (len(q.waiting)+len(entries) > q.records || q.size+size > q.bytes) {
		if err := q.drop(); err != nil {
			return err
		}
	}
	if err := place.Write(files...); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	for _, e := range entries {
		q.enter(e)
	}
	for len(q.waiting) > q.records || q.size > q.bytes {
		if err := q.drop(); err != nil {
			return err
		}
	}
	return nil
}

// drop gives the oldest up. It is counted first: after a crash in between there is
// one more counted than gone, never one less.
func (q *Queue) drop() error {
	if err := q.count(q.dropped + 1); err != nil {
		return err
	}
	return q.forget(q.waiting[0])
}

func (q *Queue) count(n uint64) error {
	if err := place.Write(place.File{Path: filepath.Join(q.dir, droppedFile), Data: strconv.AppendUint(nil, n, 10)}); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	q.dropped = n
	return nil
}

func (q *Queue) forget(e entry) error {
	if err := os.Remove(q.file(e.n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("queue: %w", err)
	}
	q.waiting = q.waiting[1:]
	q.size -= e.size
	delete(q.keys, e.key)
	return nil
}

// Oldest is the item to send next, and its number.
func (q *Queue) Oldest() (item Item, n uint64, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		n = q.waiting[0].n
		if item, _, err = q.read(n); err == nil {
			return item, n, true, nil
		}
		if err = q.drop(); err != nil { // garbled or taken away by somebody
			return Item{}, 0, false, err
		}
	}
	return Item{}, 0, false, nil
}

// Done takes an item away that was sent; it may have been dropped meanwhile.
func (q *Queue) Done(n uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.waiting[0].n != n {
		return nil
	}
	return q.forget(q.waiting[0])
}

// Dropped is how many were given up and not told of.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Told says that n of the dropped were told of.
func (q *Queue) Told(n uint64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count(q.dropped - min(n, q.dropped))
}

// Refused counts one more that is given up: the receiver never takes it.
func (q *Queue) Refused() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count(q.dropped + 1)
}

// Size is what waits.
func (q *Queue) Size() (records int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.size
}
