package audit

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// How many refused requests have a line of their own in a minute: of one
// workload, and of all together. The rest is counted in the next line.
const (
	refusedOne = 20
	refusedAll = 200
)

// The file of the counts has a place for all refusals and one for each of the
// workloads that fall on it: it does not grow.
const (
	ratePlaces = 256
	rateWidth  = 16
)

// count is one place: the minute that is counted, the lines in it, and the
// refusals since the last line that have none.
type count struct {
	minute  uint64
	lines   uint32
	unnamed uint32
}

func (c *count) at(minute uint64) {
	if c.minute != minute {
		c.minute, c.lines = minute, 0
	}
}

// admitted counts one refusal of the workload named key. It reports whether that
// may have a line, and how many before it had none. The caller holds the lock
// of the log.
func admitted(path, key string, now time.Time) (ok bool, unnamed uint32, err error) {
	f, err := os.OpenFile(path+".rate", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return false, 0, fmt.Errorf("audit log: rate: %w", err)
	}
	defer f.Close()
	if _, err := check(f); err != nil {
		return false, 0, err
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(key)) // never fails
	at := int64(1+sum.Sum32()%(ratePlaces-1)) * rateWidth
	minute := uint64(now.Unix() / 60)
	all, one := readCount(f, 0), readCount(f, at)
	all.at(minute)
	one.at(minute)
	if ok = all.lines < refusedAll && one.lines < refusedOne; ok {
		all.lines, one.lines = all.lines+1, one.lines+1
		unnamed, one.unnamed = one.unnamed, 0
	} else {
		one.unnamed++
	}
	for where, c := range map[int64]count{0: all, at: one} {
		if err := c.write(f, where); err != nil {
			return false, 0, fmt.Errorf("audit log: rate: %w", err)
		}
	}
	return ok, unnamed, nil
}

// readCount reads a place; one that is not there, or cut off, has no count.
func readCount(f *os.File, at int64) count {
	var raw [rateWidth]byte
	if n, _ := f.ReadAt(raw[:], at); n != rateWidth {
		return count{}
	}
	return count{binary.LittleEndian.Uint64(raw[:]), binary.LittleEndian.Uint32(raw[8:]), binary.LittleEndian.Uint32(raw[12:])}
}

func (c count) write(f *os.File, at int64) error {
	raw := binary.LittleEndian.AppendUint64(nil, c.minute)
	raw = binary.LittleEndian.AppendUint32(raw, c.lines)
	raw = binary.LittleEndian.AppendUint32(raw, c.unnamed)
	_, err := f.WriteAt(raw, at)
	return err
}
