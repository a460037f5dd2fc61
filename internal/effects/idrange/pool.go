package idrange

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// span is a run of ids, from first to last.
type span struct{ first, last uint64 }

func (s span) overlaps(o span) bool { return s.first <= o.last && o.first <= s.last }

// pool is where ranges come from.
type pool struct {
	span
	name string
}

// The pool without a line in /etc/subuid: below 2^31, which some programs take
// for the end, and outside of what systemd gives out (systemd.io, UIDS-GIDS).
const (
	defaultFirst = 0x70000000
	defaultCount = 0x0FF00000
)

// least is where a pool may begin: below are the users of the host.
const least = 1 << 16

var (
	errPool   = errors.New("not FIRST:COUNT with at least 65536 ids, all from 65536 to 4294967294")
	errUneven = errors.New("the lines of hatchdog in /etc/subuid and /etc/subgid differ: a container's users and groups have the same numbers")
)

// pool finds the pool: the policy's, or hatchdog's own line in /etc/subuid, or
// the usual one.
func (s Store) pool() (pool, error) {
	if s.Pool != "" {
		return parsePool(s.Pool, s.Pool+" (policy ids.pool)")
	}
	uids, err := s.lines("etc/subuid", "hatchdog")
	if err != nil {
		return pool{}, err
	}
	gids, err := s.lines("etc/subgid", "hatchdog")
	if err != nil {
		return pool{}, err
	}
	if !slices.Equal(uids, gids) {
		return pool{}, fmt.Errorf("ids: %w", errUneven)
	}
	if len(uids) > 0 {
		text := fmt.Sprintf("%d:%d", uids[0].first, uids[0].last-uids[0].first+1)
		return parsePool(text, text+" (/etc/subuid)")
	}
	text := fmt.Sprintf("%d:%d", defaultFirst, defaultCount)
	return parsePool(text, text)
}

func parsePool(text, name string) (pool, error) {
	first, count, ok := strings.Cut(text, ":")
	f, err1 := strconv.ParseUint(first, 10, 32)
	c, err2 := strconv.ParseUint(count, 10, 32)
	if !ok || err1 != nil || err2 != nil || f < least || c < Size || f+c > math.MaxUint32 {
		return pool{}, fmt.Errorf("ids: pool %s: %w", name, errPool)
	}
	return pool{span{f, f + c - 1}, name}, nil
}

// lowest is the lowest range that is free. taken lists the ids of the host
// that must not be in it; mapped tells of one that a process lives in.
func (p pool) lowest(st *state, taken func() ([]span, error), mapped func(span) bool) (uint32, error) {
	users, err := taken()
	if err != nil {
		return 0, err
	}
	full := &Exhausted{Pool: p.name}
	for base := p.first; base+Size-1 <= p.last; base += Size {
		full.Ranges++
		this := span{base, base + Size - 1}
		switch {
		case slices.ContainsFunc(st.Ranges, func(r Range) bool { return this.overlaps(span{uint64(r.Base), uint64(r.Base) + Size - 1}) }):
			full.Held++
		case slices.ContainsFunc(users, this.overlaps):
			full.Skipped++
		case st.Lost && mapped(this):
			full.Held++ // a process without a record is in it
		default:
			return uint32(base), nil
		}
	}
	return 0, full
}

// taken are the ids that belong to users and groups of this host, and the
// ranges of others.
func (s Store) taken() ([]span, error) {
	var all []span
	for _, file := range []string{"etc/subuid", "etc/subgid"} {
		others, err := s.lines(file, "")
		if err != nil {
			return nil, err
		}
		all = append(all, others...)
	}
	for _, file := range []string{"etc/passwd", "etc/group"} {
		err := s.scan(file, func(fields []string) {
			if len(fields) < 3 {
				return
			}
			if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil && id >= least {
				all = append(all, span{id, id})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// lines reads NAME:FIRST:COUNT (subuid(5)). owner "" reads those of all others.
func (s Store) lines(file, owner string) ([]span, error) {
	var all []span
	err := s.scan(file, func(fields []string) {
		if len(fields) != 3 || (owner != "" && fields[0] != owner) || (owner == "" && fields[0] == "hatchdog") {
			return
		}
		first, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil && count > 0 {
			all = append(all, span{first, first + count - 1})
		}
	})
	return all, err
}

func (s Store) scan(file string, each func(fields []string)) error {
	f, err := os.Open(filepath.Join("/", s.Files, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		each(strings.Split(strings.TrimSpace(lines.Text()), ":"))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("ids: /%s: %w", file, err)
	}
	return nil
}

// mapped reports whether a process lives in a user namespace that maps one of
// the ids. One that cannot be read is gone, or not ours to see.
func (s Store) mapped(ids span) bool {
	maps, err := filepath.Glob(filepath.Join("/", s.Files, "proc/[0-9]*/uid_map"))
	if err != nil {
		return true
	}
	for _, file := range maps {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			var inside, outside, count uint64
			if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil || count == 0 {
				continue
			}
			const everything = math.MaxUint32 // the host's own mapping
			if count != everything && ids.overlaps(span{outside, outside + count - 1}) && !dead(filepath.Dir(file)) {
				return true
			}
		}
	}
	return false
}

// dead reports whether a process has ended and only waits for its parent: it
// owns nothing any more.
func dead(proc string) bool {
	data, err := os.ReadFile(proc + "/stat")
	if err != nil {
		return true
	}
	// The command may hold brackets: the state stands behind the last one.
	_, rest, _ := cutLast(string(data), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
