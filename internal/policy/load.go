package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/owner"
)

// SystemFile and SystemDir are where an administrator's policy is.
const (
	SystemFile = "/etc/hatchdog/policy.yaml"
	SystemDir  = "/etc/hatchdog/policy.d"
)

// maxFile bounds one policy file, in bytes.
const maxFile = 1 << 20

// Errors of reading policy files.
var (
	ErrWritable = errors.New("policy file is writable by users other than root")
	ErrOwner    = errors.New("policy file is owned by another user")
	ErrUnsteady = errors.New("policy file: users other than root can change what the path leads to")
	ErrTooLarge = errors.New("policy file is larger than 1 MiB")
)

// source is the text of one policy file.
type source struct {
	name string
	data []byte
}

// Load reads the policy in force: the files that HATCHDOG_POLICY names (a list as
// PATH is one; the rules of the first are asked first), or those of the system, or
// the built-in one where there are none.
func Load(getenv func(string) string) (*Policy, error) {
	names, err := Names(getenv)
	if err != nil {
		return nil, err
	}
	return loadFiles(names, false)
}

// Names are the files of the policy in force; none is the built-in policy.
func Names(getenv func(string) string) ([]string, error) {
	if named := getenv("HATCHDOG_POLICY"); named != "" {
		return filepath.SplitList(named), nil
	}
	return systemFiles()
}

// LoadAll is Load with every built-in profile, whether or not the policy
// refers to it.
func LoadAll(getenv func(string) string) (*Policy, error) {
	names, err := Names(getenv)
	if err != nil {
		return nil, err
	}
	return loadFiles(names, true)
}

// LoadFile reads the policy of one file, with every built-in profile.
func LoadFile(name string) (*Policy, error) { return loadFiles([]string{name}, true) }

// Before is the policy with one more file in front, whose rules are asked first.
func (p *Policy) Before(name string, text []byte) (*Policy, error) {
	return loadBehind([]source{{name, text}}, p.Files, true)
}

// Default is the built-in policy, with every built-in profile.
func Default() (*Policy, error) { return loadFiles(nil, true) }

func systemFiles() ([]string, error) {
	var names []string
	_, err := os.Lstat(SystemFile)
	if err == nil {
		names = append(names, SystemFile)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("policy: %w", err)
	}
	more, err := os.ReadDir(SystemDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("policy: %w", err)
	}
	for _, m := range more {
		if filepath.Ext(m.Name()) == ".yaml" {
			names = append(names, filepath.Join(SystemDir, m.Name()))
		}
	}
	slices.Sort(names[min(1, len(names)):])
	return names, nil
}

// Places are what the commands need that are handed on as they are.
type Places struct {
	Mode     Mode
	StateDir string
	Runtime  Runtime
}

// LoadPlaces reads no more of the policy in force than the places: profiles and
// rules may have errors, which are no concern of what runs already.
func LoadPlaces(getenv func(string) string) (Places, error) {
	names, err := Names(getenv)
	if err != nil {
		return Places{}, err
	}
	b := newBuilder()
	for _, name := range names {
		data, err := readSafe(name)
		if err != nil {
			return Places{}, fmt.Errorf("policy: %w", err)
		}
		b.file(source{name, data}, "")
	}
	b.checkPaths()
	if len(b.errs) > 0 {
		return Places{}, fmt.Errorf("policy: %w", b.errs)
	}
	fillPaths(&b.policy, owner.User(), os.Getenv)
	return Places{b.policy.Mode, b.policy.StateDir, b.policy.Runtime}, nil
}

func loadFiles(names []string, all bool) (*Policy, error) { return loadBehind(nil, names, all) }

// loadBehind puts the files behind sources that are there already.
func loadBehind(sources []source, names []string, all bool) (*Policy, error) {
	sum := sha256.New()
	for _, name := range names {
		data, err := readSafe(name)
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		fmt.Fprintf(sum, "%s\x00%d\x00", name, len(data))
		sum.Write(data)
		sources = append(sources, source{name, data})
	}
	p, errs := build(sources, all)
	if len(errs) > 0 {
		return nil, fmt.Errorf("policy: %w", errs)
	}
	p.Files = names
	p.Digest = hex.EncodeToString(sum.Sum(nil))
	fillPaths(p, owner.User(), os.Getenv)
	return p, nil
}

// readSafe reads a file that nobody but root, or the user we are, can change.
// Symbolic links are followed, as a mounted ConfigMap needs; what counts is
// the file and the folder that hold the text.
func readSafe(name string) ([]byte, error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(real, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	folder, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	for _, path := range []string{real, filepath.Dir(real), folder} {
		var st unix.Stat_t
		err := unix.Stat(path, &st)
		if path == real {
			err = unix.Fstat(int(f.Fd()), &st)
		}
		if err == nil {
			err = trusted(path, &st)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if abs, err := filepath.Abs(name); err != nil || !bundle.Steady(abs) {
		return nil, fmt.Errorf("%s: %w", name, ErrUnsteady)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: %w", name, ErrTooLarge)
	}
	return data, nil
}

func trusted(name string, st *unix.Stat_t) error {
	sticky := st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&unix.S_ISVTX != 0
	switch {
	case !owner.Trusted(name, st.Uid):
		return fmt.Errorf("%w (uid %d)", ErrOwner, st.Uid)
	case st.Mode&0o022 != 0 && !sticky:
		return fmt.Errorf("%w (mode %04o)", ErrWritable, st.Mode&0o7777)
	}
	return nil
}

// fillPaths sets the places that the policy leaves to us.
func fillPaths(p *Policy, euid int, getenv func(string) string) {
	if p.StateDir == "" {
		p.StateDir = DefaultStateDir(euid, getenv)
	}
	if p.IDs.Dir == "" {
		p.IDs.Dir = defaultIDsDir(euid, getenv)
	}
	if p.Audit.Path == "" {
		p.Audit.Path = defaultAuditPath(euid, getenv)
	}
}

// DefaultStateDir is /run/hatchdog, or the user's own without root.
func DefaultStateDir(euid int, getenv func(string) string) string {
	if xdg := getenv("XDG_RUNTIME_DIR"); euid != 0 && xdg != "" {
		return filepath.Join(xdg, "hatchdog")
	}
	return "/run/hatchdog"
}

func defaultAuditPath(euid int, getenv func(string) string) string {
	if euid == 0 {
		return "/var/log/hatchdog/audit.jsonl"
	}
	if state := getenv("XDG_STATE_HOME"); state != "" {
		return filepath.Join(state, "hatchdog", "audit.jsonl")
	}
	return filepath.Join(getenv("HOME"), ".local", "state", "hatchdog", "audit.jsonl")
}
