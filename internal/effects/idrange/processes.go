package idrange

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mapped lists the host ids that the user namespaces of this host's processes
// map, in one pass: each namespace is read once, and the host's own not at all.
func (s Store) mapped() ([]span, error) {
	proc := filepath.Join("/", s.Files, "proc")
	names, err := readNames(proc)
	if errors.Is(err, fs.ErrNotExist) && s.Files != "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ids: processes of this host: %w", err)
	}
	own, _ := s.readlink(filepath.Join(proc, "self/ns/user"))
	seen := map[string]bool{own: own != ""}
	var all []span
	for _, name := range names {
		if _, err := strconv.ParseUint(name, 10, 31); err != nil {
			continue
		}
		dir := filepath.Join(proc, name)
		ns, _ := s.readlink(filepath.Join(dir, "ns/user")) // one that cannot be told is read each time
		if ns != "" && seen[ns] {
			continue
		}
		ids, err := s.uidMap(dir)
		if err != nil || len(ids) == 0 || s.dead(dir) {
			continue // it is gone by now, or maps nothing
		}
		if ns != "" {
			seen[ns] = true
		}
		all = append(all, ids...)
	}
	return all, nil
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (s Store) readlink(name string) (string, error) {
	s.count()
	return os.Readlink(name)
}

func (s Store) readFile(name string) ([]byte, error) {
	s.count()
	return os.ReadFile(name)
}

func (s Store) count() {
	if s.opened != nil {
		s.opened()
	}
}

// uidMap reads the lines of a mapping (user_namespaces(7)).
func (s Store) uidMap(proc string) ([]span, error) {
	data, err := s.readFile(proc + "/uid_map")
	if err != nil {
		return nil, err
	}
	var all []span
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		outside, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		const everything = math.MaxUint32 // the host's own mapping
		if err1 != nil || err2 != nil || count == 0 || count == everything {
			continue
		}
		all = append(all, span{outside, outside + count - 1})
	}
	return all, nil
}

// dead reports whether a process has ended and only waits for its parent: it
// owns nothing any more.
func (s Store) dead(proc string) bool {
	data, err := s.readFile(proc + "/stat")
	if err != nil {
		return true
	}
	// The command may hold brackets: the state stands behind the last one.
	text := string(data)
	rest := text[strings.LastIndex(text, ")")+1:]
	return strings.HasPrefix(rest, " Z") || strings.HasPrefix(rest, " X")
}
