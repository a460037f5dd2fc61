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

const (
	abovePrefix = "above-"
	ownAbove    = ".above" // of a record's own list of them
)

// maxAbove is how many names a link holds (PATH_MAX; two numbers of 20 digits).
const maxAbove = 80

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
	var folders []string
	for _, id := range in[:min(len(in), maxAbove)] {
		folders = append(folders, above(id))
	}
	// The record says first what there will be, so that nothing is left behind.
	if err := writeLink(dir, ownAbove, strings.Join(folders, ",")); err != nil {
		return err
	}
	for _, folder := range folders {
		if err := s.enter(folder, entryName(rest), rest); err != nil {
			return err
		}
	}
	return nil
}

func entryName(rest string) string {
	return strings.ReplaceAll(rest, string(filepath.Separator), "@")
}

// enter adds an entry to a folder, which mostly has one of another container
// already.
func (s Store) enter(folder, name, rest string) error {
	all := filepath.Join(s.Base, ownDir, folder)
	var err error
	for range tries {
		err = os.Symlink(rest, filepath.Join(all, name))
		if errors.Is(err, fs.ErrExist) {
			return nil // of an earlier try: its name says where it leads
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err = os.MkdirAll(all, 0o700); err != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// leave takes the entries of a record away.
func (s Store) leave(dir string) error {
	text, err := os.Readlink(filepath.Join(dir, ownAbove))
	rest, err2 := filepath.Rel(s.Base, dir)
	if err != nil || err2 != nil {
		return nil //nolint:nilerr // it has none
	}
	for _, folder := range strings.Split(text, ",") {
		if !strings.HasPrefix(folder, abovePrefix) || filepath.Base(folder) != folder {
			continue
		}
		all := filepath.Join(s.Base, ownDir, folder)
		if err := os.Remove(filepath.Join(all, entryName(rest))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("record: %w", err)
		}
		_ = os.Remove(all) // unless others are in it
	}
	return nil
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
