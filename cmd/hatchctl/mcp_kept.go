package main

import (
	"bytes"
	"fmt"
	"slices"
)

// The parts of an output that are kept, in bytes: what a command says first, and
// what it says last.
const (
	keptFirst = 48 << 10
	keptLast  = 16 << 10
)

// middle keeps the beginning and the end of what is written to it.
type middle struct {
	first, last bytes.Buffer
	cut         int64
}

func (m *middle) Write(data []byte) (int, error) {
	n := len(data)
	room := min(keptFirst-m.first.Len(), n)
	m.first.Write(data[:room])
	m.last.Write(data[room:])
	if over := m.last.Len() - keptLast; over > 0 {
		m.last.Next(over)
		m.cut += int64(over)
	}
	return n, nil
}

func (m *middle) String() string {
	if m.cut == 0 {
		return m.first.String() + m.last.String()
	}
	return fmt.Sprintf("%s\n... (%d bytes left out)\n%s", m.first.String(), m.cut, m.last.String())
}

// keep notes a run that begins; false where the session is over.
func (k *keeper) keep(name string, r *ranBox) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.results == nil {
		return false
	}
	k.all.Add(1)
	k.results[name], k.names = r, append(k.names, name)
	if i := slices.IndexFunc(k.names, func(n string) bool { return k.results[n].cancel == nil && !k.results[n].waits }); len(k.names) > rememberedRuns && i >= 0 {
		delete(k.results, k.names[i])
		k.names = slices.Delete(k.names, i, i+1)
	}
	return true
}

// over notes that a run is.
func (k *keeper) over(name string, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, all := range []map[string]*ranBox{k.results, k.left} {
		if r := all[name]; r != nil {
			r.cancel = nil
		}
	}
	return err
}

// find is a run of this session that is over.
func (k *keeper) find(name string) (ranBox, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.results[name]
	if r == nil || r.cancel != nil {
		return ranBox{}, errUnknown
	}
	return *r, nil
}

// settled notes that the changes of a run wait no more.
func (k *keeper) settled(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.results[name]; r != nil {
		r.waits = false
	}
}

// cancelAll ends all runs, and lets none begin.
func (k *keeper) cancelAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.results == nil {
		return
	}
	for _, r := range k.results {
		if r.cancel != nil {
			r.cancel()
		}
	}
	k.left, k.results = k.results, nil
}

// waiting are the runs whose changes wait.
func (k *keeper) waiting() []string {
	var all []string
	for _, name := range k.names {
		if r := k.left[name]; r != nil && r.waits {
			all = append(all, name)
		}
	}
	return all
}
