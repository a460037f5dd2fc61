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

	json "github.com/go-json-experiment/json/v1"
	"golang.org/x/sys/unix"
)

// Errors that a caller may want to tell apart.
var (
	// ErrNoRecord means that hatchdog did not create the container, or that
	// it is gone.
	ErrNoRecord = errors.New("no record of this container")
	// ErrExists means that the low-level runtime already knows the id.
	ErrExists = errors.New("container with given ID already exists")
	// ErrBusy means that another create of the same id is under way.
	ErrBusy = errors.New("another create of the same id is under way")
	// ErrBadID means that the id is not one that runc accepts.
	ErrBadID = errors.New("invalid container id")
)

// The files of a record.
const (
	recordFile   = "record.json"
	originalFile = "original.json"
	runtimeLink  = "runtime"
	creatorLink  = "creator"
	idsLink      = "ids"
	rootLink     = "@root" // no container id holds an @
)

// maxID is the longest id taken: a file name's limit (limits.h, NAME_MAX).
const maxID = 255

// Store keeps one directory for each container, below Base, apart for each of
// runc's root directories: ids are unique only within one.
type Store struct{ Base string }

// Key names the directory for the containers of one runc root.
func Key(root string) string {
	sum := sha256.Sum256([]byte(root))
	return hex.EncodeToString(sum[:])[:12]
}

// ResolveRoot makes runc's --root absolute and free of symlinks, so that two
// spellings of it are one.
func ResolveRoot(root string) (string, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("--root: %w", err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return resolveMissing(abs)
	}
	if err != nil {
		return "", fmt.Errorf("--root: %w", err)
	}
	return real, nil
}

// resolveMissing resolves the part of path that is there: runc makes the rest.
func resolveMissing(path string) (string, error) {
	dir, base := filepath.Split(filepath.Clean(path))
	if base == "" || base == "." {
		return path, nil
	}
	parent, err := ResolveRoot(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, base), nil
}

// CheckID takes the ids that runc takes (libcontainer/factory_linux.go) and no
// other, so that an id is always one file name.
func CheckID(id string) error {
	if id == "" || id == "." || id == ".." || len(id) > maxID {
		return fmt.Errorf("%w: %q", ErrBadID, clip(id))
	}
	for _, r := range id {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+-.", r)
		if !ok {
			return fmt.Errorf("%w: %q", ErrBadID, clip(id))
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

func (s Store) dir(root, id string) string { return filepath.Join(s.Base, Key(root), id) }

// Dir is the record's directory, whether or not it is there.
func (s Store) Dir(root, id string) string { return s.dir(root, id) }

// Live reports whether the low-level runtime keeps state for the container:
// runc and crun both keep it in ROOT/ID.
func Live(root, id string) bool {
	_, err := os.Lstat(filepath.Join(root, id))
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// Runtime reads which low-level runtime created the container. It is one
// readlink, for the commands that pass through.
func (s Store) Runtime(root, id string) (string, error) {
	if err := CheckID(id); err != nil {
		return "", err
	}
	if err := s.ours(root); err != nil {
		return "", noRecord(err)
	}
	path, err := os.Readlink(filepath.Join(s.dir(root, id), runtimeLink))
	if err != nil {
		return "", noRecord(err)
	}
	return path, nil
}

// IDs reads where it is kept that the container holds ids of the host; "" is
// nowhere.
func (s Store) IDs(root, id string) string {
	if CheckID(id) != nil {
		return ""
	}
	dir, err := os.Readlink(filepath.Join(s.dir(root, id), idsLink))
	if err != nil {
		return ""
	}
	return dir
}

// Load reads a container's record.
func (s Store) Load(root, id string) (*Record, error) {
	dir, err := s.recordOf(root, id)
	if err != nil {
		return nil, err
	}
	return load[Record](dir)
}

// recordOf is the directory of a record in a store that is ours.
func (s Store) recordOf(root, id string) (string, error) {
	if err := CheckID(id); err != nil {
		return "", err
	}
	if err := s.ours(root); err != nil {
		return "", noRecord(err)
	}
	return s.dir(root, id), nil
}

// Read reads the record in a directory of a store that is ours.
func Read(dir string) (*Record, error) {
	if err := checkAll(dir); err != nil {
		return nil, err
	}
	return load[Record](dir)
}

func checkAll(dir string) error {
	for _, d := range []string{filepath.Join(dir, "..", ".."), filepath.Join(dir, ".."), dir} {
		if err := checkOurs(d); err != nil {
			return err
		}
	}
	return nil
}

// ours refuses a store that somebody else made: its records name programs that
// we run.
func (s Store) ours(root string) error {
	for _, dir := range []string{s.Base, filepath.Join(s.Base, Key(root))} {
		if err := checkOurs(dir); err != nil {
			return err
		}
	}
	return nil
}

func load[T any](dir string) (*T, error) {
	data, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return nil, noRecord(err)
	}
	var r T
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("record of %s: %w", filepath.Base(dir), err)
	}
	return &r, nil
}

// Original reads the spec as the engine wrote it.
func (s Store) Original(root, id string) ([]byte, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(s.dir(root, id), originalFile))
	if err != nil {
		return nil, noRecord(err)
	}
	return data, nil
}

// noRecord reads a missing file as ErrNoRecord and keeps any other error.
func noRecord(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%w: %w", ErrNoRecord, err)
	}
	return err
}

// Holder names the create that the record is of; "" is none.
func (s Store) Holder(root, id string) string {
	if CheckID(id) != nil {
		return ""
	}
	holder, _ := os.Readlink(filepath.Join(s.dir(root, id), creatorLink)) // none is none
	return holder
}

// Release removes a container's record, if it is still holder's: another
// create may have taken the id meanwhile. It is no error if there is none.
func (s Store) Release(root, id, holder string) error {
	if err := CheckID(id); err != nil {
		return err
	}
	unlock, err := lockDir(filepath.Join(s.Base, Key(root)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if s.Holder(root, id) != holder {
		return nil
	}
	if err := remove(s.dir(root, id)); err != nil {
		return fmt.Errorf("release record: %w", err)
	}
	return nil
}
