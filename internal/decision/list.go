package decision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Entry is one record in a listing.
type Entry struct {
	Root   string
	ID     string
	Live   bool // the low-level runtime knows it
	Record *Record
	Err    error // why Record is nil
}

// List reads every record, sorted by root and id. A record that cannot be read
// is listed with its error.
func (s Store) List() ([]Entry, error) {
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
			if !id.IsDir() {
				continue
			}
			e := Entry{Root: root, ID: id.Name(), Live: Live(root, id.Name())}
			e.Record, e.Err = load[Record](filepath.Join(s.Base, key.Name(), id.Name()))
			all = append(all, e)
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
