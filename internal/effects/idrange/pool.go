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

// lowest is the lowest run of free units that holds size ids. users are ids of
// the host that must not be in it.
func (p pool) lowest(st *state, size uint32, users []span) (uint32, error) {
	used := p.units()
	full := &Exhausted{Pool: p.name, Units: len(used), Asked: int(size / Size)}
	for _, r := range st.Ranges {
		full.Held += p.mark(used, r.span())
	}
	for _, u := range users {
		full.Skipped += p.mark(used, u)
	}
	run := 0
	for i, u := range used {
		if run++; u != 0 {
			run = 0
		}
		if run == full.Asked {
			return uint32(p.first) + uint32(i+1-run)*Size, nil
		}
	}
	return 0, full
}

// units has an item for each unit of the pool.
func (p pool) units() []byte { return make([]byte, (p.last-p.first+1)/Size) }

// mark marks the units that hold one of the ids, and counts those that were not
// marked before.
func (p pool) mark(used []byte, ids span) int {
	if ids.last < p.first || ids.first > p.last {
		return 0
	}
	n := 0
	from, to := (max(ids.first, p.first)-p.first)/Size, (min(ids.last, p.last)-p.first)/Size
	for i := from; i <= to && i < uint64(len(used)); i++ {
		if used[i] == 0 {
			used[i] = 1
			n++
		}
	}
	return n
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
