package decision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hatchdog/hatchdog/internal/host"
)

// A root file system that is no mount is in sight from each directory above it.
// Such a directory has an entry for each container whose root lies in it: a
// folder of links to the records.

const abovePrefix = "above-"

// A folder that another has just emptied may go before we write into it.
const tries = 8

func above(id host.FileID) string { return fmt.Sprintf("%s%d-%d", abovePrefix, id.Dev, id.Ino) }

// OwnedBelow notes that the root file system of the container of a record lies in
// these directories.
func (s Store) OwnedBelow(dir string, in []host.FileID) error {
	rest, err := filepath.Rel(s.Base, dir)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	name := strings.ReplaceAll(rest, string(filepath.Separator), "@")
	for i, id := range in {
		if err := s.enter(above(id), name, rest); err != nil {
			return err
		}
		if err := writeLink(dir, fmt.Sprintf("%s%s%d", ownPrefix, abovePrefix, i), filepath.Join(above(id), name)); err != nil {
			return err
		}
	}
	return nil
}

func (s Store) enter(folder, name, rest string) error {
	all := filepath.Join(s.Base, ownDir, folder)
	var err error
	for range tries {
		if err = os.MkdirAll(all, 0o700); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		if err = writeLink(all, name, rest); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// Below is the record of a living container whose root file system lies in a
// directory, and which admit does not let pass; nil is none.
func (s Store) Below(id host.FileID, admit func(*Record) bool) *Record {
	all := filepath.Join(s.Base, ownDir, above(id))
	entries, err := os.ReadDir(all)
	if err != nil {
		return nil //nolint:nilerr // nobody's lies in it
	}
	for _, e := range entries {
		if rec := s.living(filepath.Join(all, e.Name())); rec != nil && !admit(rec) {
			return rec
		}
	}
	return nil
}
