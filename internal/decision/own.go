package decision

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hatchdog/hatchdog/internal/host"
)

// ownDir holds a link for each thing of the host that is one container's own,
// named by the thing, to the record: whose something is takes one readlink,
// however many containers there are. No id has an @.
const (
	ownDir    = "@own"
	ownPrefix = "own-" // of a record's own links to its entries
)

// Thing is something of the host that belongs to one container.
type Thing string

// Group is a control group, by its path from the hierarchy's root.
func Group(path string) Thing {
	sum := sha256.Sum256([]byte(path))
	return Thing("group-" + hex.EncodeToString(sum[:])[:32])
}

// RootFS is the directory of a root file system.
func RootFS(id host.FileID) Thing { return Thing(fmt.Sprintf("root-%d-%d", id.Dev, id.Ino)) }

// Upper is the layer of a root file system that its container writes to.
func Upper(id host.FileID) Thing { return Thing(fmt.Sprintf("upper-%d-%d", id.Dev, id.Ino)) }

// NetworkNamespace is one.
func NetworkNamespace(id host.FileID) Thing { return Space("net", id) }

// Space is a namespace of a type, as /proc/PID/ns names it.
func Space(file string, id host.FileID) Thing {
	return Thing(fmt.Sprintf("%s-%d-%d", file, id.Dev, id.Ino))
}

// Owned notes that a thing is the container's of a record. A thing that is a living
// container's already stays so.
func (s Store) Owned(dir string, t Thing) error {
	all := filepath.Join(s.Base, ownDir)
	if err := os.Mkdir(all, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("record: %w", err)
	}
	if owner := s.Owner(t); owner != nil && s.dir(owner.Decision.Root, owner.Decision.ID) != dir {
		return nil
	}
	rest, err := filepath.Rel(s.Base, dir)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := writeLink(all, string(t), rest); err != nil {
		return err
	}
	return s.note(dir, t)
}

// note notes in a record what it owns, for who takes it away.
func (s Store) note(dir string, t Thing) error {
	kind, _, _ := strings.Cut(string(t), "-")
	// A create of the same id that was cut off may have owned another.
	if was, err := os.Readlink(filepath.Join(dir, ownPrefix+kind)); err == nil && was != string(t) {
		if err := s.free(dir, was); err != nil {
			return err
		}
	}
	return writeLink(dir, ownPrefix+kind, string(t))
}

// free takes an entry away that leads to a record.
func (s Store) free(dir, thing string) error {
	if filepath.Base(thing) != thing {
		return nil
	}
	entry := filepath.Join(s.Base, ownDir, thing)
	rest, err := os.Readlink(entry)
	if err != nil || filepath.Join(s.Base, rest) != filepath.Clean(dir) {
		return nil //nolint:nilerr // it is not there, or another's
	}
	if err := os.Remove(entry); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Owner is the record of the living container that a thing belongs to; nil is
// none.
func (s Store) Owner(t Thing) *Record {
	return s.living(filepath.Join(s.Base, ownDir, string(t)))
}

// living is the record of a living container that an entry leads to; nil is
// none.
func (s Store) living(entry string) *Record {
	rest, err := os.Readlink(entry)
	if err != nil || !filepath.IsLocal(rest) {
		return nil
	}
	rec, err := Read(filepath.Join(s.Base, rest))
	if err != nil || rec.Decision.Root == "" || !Live(rec.Decision.Root, rec.Decision.ID) {
		return nil
	}
	return rec
}

// disown takes away what a record owns, where it still does.
func disown(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil //nolint:nilerr // without a directory there is nothing
	}
	store := Store{Base: filepath.Join(dir, "..", "..")}
	if err := store.leave(filepath.Clean(dir)); err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ownPrefix) {
			continue
		}
		t, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if err := store.free(dir, t); err != nil {
			return err
		}
	}
	return nil
}
