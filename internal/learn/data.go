// Package learn keeps what containers were seen to do, and writes the narrowest
// profile under which they do it again.
//
// Guarantees: a profile never grants more than builtin/restricted does, except for
// what an administrator names (Wish.Grant): what was seen beyond it is told apart,
// as comments. Every value of a profile is a name out of a table of ours, a number,
// an address, the name of a host that the policy language admits, or a path of the
// container's request; text that a container chooses is quoted in ASCII and stands
// in comments alone. A recording is bounded.
// Does not cover: whether what was seen is all that a workload needs, or whether
// it was an attacker who did it. Arguments of calls beyond those that the tables
// look at.
// Requires: nothing; entries come from internal/probe.
// Spec fields touched: none.
package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The bounds of what is kept.
const (
	kindsMost      = 4096
	textMost       = 256
	containersMost = 64
	FileMost       = 16 << 20 // bytes of a recording
	version        = 1
)

// Errors of a recording.
var (
	ErrName    = errors.New("not the name of a recording: up to 63 small letters, digits, . _ and -, the first a letter or a digit")
	ErrVersion = errors.New("it is of another version of hatchdog")
)

// Seen is how often a thing was done, when, and by which programs.
type Seen struct {
	Count uint64    `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	By    [2]string `json:"by"` // the first, the last
}

func (s Seen) with(o Seen) Seen {
	if s.Count == 0 {
		return o
	}
	if o.Count == 0 {
		return s
	}
	s.Count += o.Count
	if o.First.Before(s.First) {
		s.First, s.By[0] = o.First, o.By[0]
	}
	if o.Last.After(s.Last) {
		s.Last, s.By[1] = o.Last, o.By[1]
	}
	return s
}

// Table is what was seen of one kind.
type Table map[string]Seen

// Data is a recording: what the containers of a workload did.
type Data struct {
	Version    int       `json:"version"`
	Containers []string  `json:"containers"` // their ids
	Runs       int       `json:"runs"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`

	Calls        Table `json:"calls"`        // NAME, or NAME ARGUMENTS (see CallKey)
	Capabilities Table `json:"capabilities"` // CAP_NAME
	Programs     Table `json:"programs"`     // path
	Writes       Table `json:"writes"`       // below the root: a directory, or "" where it is not known
	Volumes      Table `json:"volumes"`      // mount points that were written below
	Devices      Table `json:"devices"`      // c MAJOR:MINOR ACCESS
	Listens      Table `json:"listens"`      // ADDRESS/tcp or /udp
	Reaches      Table `json:"reaches"`      // ADDRESS/tcp or /udp
	// HostAddresses are those that were the host's own.
	HostAddresses map[string]bool `json:"hostAddresses,omitempty"`
	// Names are those that an address was asked for by, where a resolver of
	// hatchdog answered.
	Names map[string][]string `json:"names,omitempty"`
	// Mounts are bind mounts that the containers could write to.
	Mounts map[string]int `json:"mounts,omitempty"`

	Pids   int64 `json:"pids"`   // the most at once; 0 is not known
	Memory int64 `json:"memory"` // bytes
	Files  int64 `json:"files"`  // the highest number of an open file, plus one

	Lost  uint64   `json:"lost,omitempty"` // what found no room
	Notes []string `json:"notes,omitempty"`
	// CallsOnly is true where nothing but calls and programs was seen of some
	// container, without the arguments of calls.
	CallsOnly bool `json:"callsOnly,omitempty"`
	// SharedNetwork is true where a container had the host's network.
	SharedNetwork bool `json:"sharedNetwork,omitempty"`
}

// New is an empty recording.
func New() *Data {
	d := &Data{Version: version, HostAddresses: map[string]bool{}, Names: map[string][]string{}, Mounts: map[string]int{}}
	for _, t := range d.tables() {
		*t = Table{}
	}
	return d
}

func (d *Data) tables() []*Table {
	return []*Table{&d.Calls, &d.Capabilities, &d.Programs, &d.Writes, &d.Volumes, &d.Devices, &d.Listens, &d.Reaches}
}

// add counts a thing, where there is room.
func (d *Data) add(t Table, key string, s Seen) {
	if len(key) > textMost {
		key = key[:textMost]
	}
	if _, have := t[key]; !have && len(t) >= kindsMost {
		d.Lost++
		return
	}
	t[key] = t[key].with(s)
	if d.First.IsZero() || s.First.Before(d.First) {
		d.First = s.First
	}
	if s.Last.After(d.Last) {
		d.Last = s.Last
	}
}

// Note keeps a sentence on what was not seen.
func (d *Data) Note(text string) {
	const most = 32
	if len(d.Notes) < most && !slices.Contains(d.Notes, text) {
		d.Notes = append(d.Notes, text)
	}
}

// Merge adds what another recording has.
func (d *Data) Merge(o *Data) {
	ours, theirs := d.tables(), o.tables()
	for i, t := range theirs {
		for key, s := range *t {
			d.add(*ours[i], key, s)
		}
	}
	for _, id := range o.Containers {
		if len(d.Containers) < containersMost && !slices.Contains(d.Containers, id) {
			d.Containers = append(d.Containers, id)
		}
	}
	for a := range o.HostAddresses {
		if len(d.HostAddresses) < kindsMost {
			d.HostAddresses[a] = true
		}
	}
	for a, names := range o.Names {
		for _, n := range names {
			d.Named(a, n)
		}
	}
	for m, n := range o.Mounts {
		if _, have := d.Mounts[m]; have || len(d.Mounts) < kindsMost {
			d.Mounts[m] += n
		}
	}
	d.Runs += o.Runs
	d.Pids, d.Memory, d.Files = max(d.Pids, o.Pids), max(d.Memory, o.Memory), max(d.Files, o.Files)
	d.Lost += o.Lost
	for _, n := range o.Notes {
		d.Note(n)
	}
	d.SharedNetwork = d.SharedNetwork || o.SharedNetwork
	d.CallsOnly = d.CallsOnly || o.CallsOnly
}

// Named keeps that an address was asked for by a name.
func (d *Data) Named(address, name string) {
	const most = 8
	have := d.Names[address]
	if len(have) < most && len(d.Names) < kindsMost && len(name) <= textMost && !slices.Contains(have, name) {
		d.Names[address] = append(have, name)
	}
}

// Decode reads a recording.
func Decode(raw []byte) (*Data, error) {
	d := New()
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	if d.Version != version {
		return nil, fmt.Errorf("recording: %w", ErrVersion)
	}
	bounded := New() // what others wrote has the same bounds
	bounded.Merge(d)
	return bounded, nil
}

// CheckName refuses what is no name of a recording.
func CheckName(name string) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`).MatchString(name) {
		return fmt.Errorf("%.80q: %w", name, ErrName)
	}
	return nil
}

// NameFor makes the name of a recording out of what people call a workload.
func NameFor(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0:
			b.WriteByte('-')
		}
		const most = 48
		if b.Len() == most {
			break
		}
	}
	if name := strings.TrimRight(b.String(), "-"); name != "" {
		return name
	}
	return "workload"
}
