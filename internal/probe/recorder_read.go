package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// States are the namespaces that did something.
func (r *Recorder) States() ([]State, error) {
	var all []State
	var n Namespace
	var state [stateSize]byte
	it := r.maps.states.Iterate()
	for it.Next(&n, &state) {
		word := func(at int) uint64 { return binary.NativeEndian.Uint64(state[at:]) }
		all = append(all, State{
			Namespace: n, Lost: word(ofLost), Files: word(ofFiles), Claimed: word(ofMode) == claimed, Ignored: word(ofMode) == ignored,
		})
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return all, fmt.Errorf("probe: %w", err)
	}
	return all, nil
}

// Entries calls f with what was counted of each namespace that keep is true for.
// The others' room is given back where drop is true for them.
func (r *Recorder) Entries(keep, drop func(Namespace) bool, f func(Entry)) error {
	for _, m := range []struct {
		of   *ebpf.Map
		size int
	}{{r.maps.counts, countKey}, {r.maps.texts, textKey}} {
		key, value := make([]byte, m.size), make([]byte, valueSize)
		var gone [][]byte
		it := m.of.Iterate()
		for it.Next(&key, &value) {
			n := Namespace{Inode: binary.NativeEndian.Uint32(key[ofInode:]), Started: binary.NativeEndian.Uint64(key[ofStart:])}
			switch {
			case keep(n):
				f(r.entry(n, key, value))
			case drop(n):
				gone = append(gone, append([]byte(nil), key...))
			}
		}
		if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
			return fmt.Errorf("probe: %w", err)
		}
		for _, k := range gone {
			_ = m.of.Delete(k)
		}
	}
	return nil
}

func (r *Recorder) entry(n Namespace, key, value []byte) Entry {
	word := func(raw []byte, at int) uint64 { return binary.NativeEndian.Uint64(raw[at:]) }
	at := func(ns uint64) time.Time { return r.boot.Add(time.Duration(ns)) } //nolint:gosec // 292 years
	e := Entry{
		Namespace: n, Kind: Kind(word(key, ofKind)), What: word(key, ofWhat), Arg: word(key, ofArg),
		Count: word(value, ofCount), First: at(word(value, ofFirst)), Last: at(word(value, ofLast)),
		By: [2]string{text(value[ofFirstBy : ofFirstBy+nameSize]), text(value[ofLastBy : ofLastBy+nameSize])},
	}
	if len(key) == countKey {
		return e
	}
	switch e.Kind {
	case KindListen, KindReach:
		e.Address = address(key[ofText:])
	default:
		e.Text = text(key[ofText:])
	}
	return e
}
