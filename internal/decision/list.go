package decision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Entry is one record in a listing.
type Entry struct {
	Root   string
	ID     string
	Live   bool // the low-level runtime knows it
	Record *Record
	Err    error // why Record is nil
}

// Start tells one create of an id from the next. It is false where there is no
// record.
func (s Store) Start(root, id string) (string, bool) {
	st, err := os.Lstat(filepath.Join(s.dir(root, id), recordFile))
	if err != nil {
		return "", false
	}
	stat, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return fmt.Sprint(stat.Ino, " ", st.ModTime().UnixNano()), true
}

// List reads every record, sorted by root and id. A record that cannot be read
// is listed with its error.
func (s Store) List() ([]Entry, error) {
	all, err := s.Known()
	for i := range all {
		e := &all[i]
		e.Live = Live(e.Root, e.ID)
		e.Record, e.Err = load[Record](s.dir(e.Root, e.ID))
	}
	return all, err
}

// Known lists what List does, by name alone: no record is read.
func (s Store) Known() ([]Entry, error) {
	keys, err := os.ReadDir(s.Base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	var all []Entry
	for _, key := range keys {
		root, err := os.Readlink(filepath.Join(s.Base, key.Name(), rootLink))
		if err != nil {
			continue // not a directory of records
		}
		ids, err := os.ReadDir(filepath.Join(s.Base, key.Name()))
		if err != nil {
			return nil, fmt.Errorf("state directory: %w", err)
		}
		for _, id := range ids {
			if id.IsDir() {
				all = append(all, Entry{Root: root, ID: id.Name()})
			}
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		if a.Root != b.Root {
			return strings.Compare(a.Root, b.Root)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, nil
}
