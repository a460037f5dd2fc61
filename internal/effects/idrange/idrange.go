// Package idrange sets host ids aside for containers' user namespaces, in units
// of 65,536: one for each container, and more for one that needs more.
//
// Guarantees: no two containers that live hold the same ids, but those that share a
// user namespace; no range holds an id of the pool's neighbours in /etc/subuid and
// /etc/subgid nor of a user or group of /etc/passwd and /etc/group; the range of a
// dead container is set free, also after a reboot or a SIGKILL; the reading of Take
// does not grow with the containers and processes of the host, except where the
// pool has run out, the file was lost, or the ranges have doubled.
// Does not cover: users and groups of a directory service; other programs
// that take ids without a line in /etc/subuid.
// Requires: a directory that outlives the records, for reading it after a
// crash.
// Spec fields touched: none.
package idrange

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// Size is a unit: a range is one of them or several.
const Size = host.IDUnit

// Holder is a container that holds a range.
type Holder struct {
	Root string `json:"root"` // the low-level runtime's --root
	ID   string `json:"id"`
	// Creator names the create of that id; one id may come again.
	Creator string `json:"creator"`
	// Record is the directory of its record.
	Record string `json:"record"`
}

// Range is a range that is held. One without holders was found in use when the
// file was lost.
type Range struct {
	host.IDRange
	Holders []Holder `json:"holders"`
	// text is the range as the file has it, until somebody asks for more than
	// where it is.
	text []byte
}

func (r Range) span() span { return span{uint64(r.Base), uint64(r.Base) + uint64(r.Size) - 1} }

// Store keeps who holds what in the file Dir/ids.json.
type Store struct {
	Dir  string
	Pool string // FIRST:COUNT; "" is the system's, see Pool
	// Lives tells whether a holder is there, as a container or as a create
	// that is under way.
	Lives func(Holder) bool
	// Files are where the accounts of the host are; "/" but in tests.
	Files string

	opened func() // called for each file of a process that is looked at; nil but in tests
}

// Exhausted says that no run of free units of the pool is long enough.
type Exhausted struct {
	Pool          string
	Units         int // in the pool
	Held, Skipped int // by containers; for users of this host
	Asked         int
}

func (e *Exhausted) Error() string {
	return fmt.Sprintf("no ids are left for a user namespace: of the %d ranges of 65536 in the pool %s, %d are held by containers and %d hold ids of users of this host, and %d side by side were asked for; remove containers, or enlarge ids.pool in the policy (hatchctl ids shows who holds what)",
		e.Units, e.Pool, e.Held, e.Skipped, e.Asked)
}

// Take sets the lowest free range of that size and shape aside; its base is
// what Take chooses. A holder that has it already gets the same.
func (s Store) Take(h Holder, want host.IDRange) (host.IDRange, error) {
	var got host.IDRange
	err := s.locked(func(st *state) error {
		// The creator of an id holds it alone: nobody holds a range that an earlier
		// one of that id did not give back.
		drop(st, h.ID, func(o Holder) bool { return o.Root == h.Root && o.Creator != h.Creator })
		if i := slices.IndexFunc(st.Ranges, func(r Range) bool { return slices.Contains(r.Holders, h) }); i >= 0 {
			want.Base = st.Ranges[i].Base
			if got = st.Ranges[i].IDRange; got == want {
				return nil
			}
			drop(st, h.ID, func(o Holder) bool { return o == h })
		}
		var err error
		if got, err = s.free(st, want); err != nil {
			return err
		}
		st.Ranges = append(st.Ranges, Range{IDRange: got, Holders: []Holder{h}})
		return nil
	})
	return got, err
}

// Next is the range that Take would give as far as the file tells, without taking
// it: processes are not looked at, and nothing is kept.
func (s Store) Next(want host.IDRange) (host.IDRange, error) {
	st, err := s.read()
	if err != nil {
		return host.IDRange{}, err
	}
	st.Lost, st.Swept = false, len(st.Ranges)
	return s.free(st, want)
}

// ErrNotHeld means that a range to be shared is not one of ours.
var ErrNotHeld = errors.New("the ids of the user namespace to join are not held by any container of hatchdog")

// Share lets a further container hold the range that begins at base.
func (s Store) Share(h Holder, base uint32) error {
	return s.locked(func(st *state) error {
		i := slices.IndexFunc(st.Ranges, func(r Range) bool { return r.Base == base })
		if i < 0 {
			return ErrNotHeld
		}
		st.Ranges[i].look()
		if !slices.Contains(st.Ranges[i].Holders, h) {
			st.Ranges[i].Holders = append(st.Ranges[i].Holders, h)
		}
		return nil
	})
}

// Free gives back what the create of the container holds. It is no error if that
// is nothing.
func (s Store) Free(root, id, creator string) error {
	if _, err := os.Lstat(s.file()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return s.locked(func(st *state) error {
		drop(st, id, func(h Holder) bool { return h.Root == root && h.Creator == creator })
		return nil
	})
}

// drop takes those holders of an id away that are gone, and the ranges that then
// have none left. Ranges that do not name the id are not looked into.
func drop(st *state, id string, gone func(Holder) bool) {
	st.Ranges = slices.DeleteFunc(st.Ranges, func(r Range) bool {
		return r.names(id) && !slices.ContainsFunc(r.Holders, func(h Holder) bool { return h.ID != id || !gone(h) })
	})
	for i := range st.Ranges {
		r := &st.Ranges[i]
		if r.names(id) {
			r.Holders = slices.DeleteFunc(r.Holders, func(h Holder) bool { return h.ID == id && gone(h) })
		}
	}
}

// Held lists the ranges that are held, by their first id.
func (s Store) Held() ([]Range, error) {
	st, err := s.read()
	if err != nil {
		return nil, err
	}
	if err := s.reclaim(st); err != nil {
		return nil, err
	}
	slices.SortFunc(st.Ranges, func(a, b Range) int { return int(int64(a.Base) - int64(b.Base)) })
	return st.Ranges, nil
}

func (s Store) file() string { return filepath.Join(s.Dir, "ids.json") }

// locked reads the state, lets f change it and writes it, under the lock of
// the directory, which ends with this process.
func (s Store) locked(f func(*state) error) error {
	if err := os.MkdirAll(s.Dir, 0o711); err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	dir, err := os.Open(s.Dir)
	if err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	defer dir.Close()
	for {
		err = unix.Flock(int(dir.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("ids: lock: %w", err)
	}
	st, err := s.read()
	if err != nil {
		return err
	}
	if err := f(st); err != nil {
		return err
	}
	return s.write(st)
}
