package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// mount is a line of mountinfo, taken apart as far as every line is looked at: a
// host of a thousand containers has some thousands of them. Or it is what
// statmount says of that.
type mount struct {
	ID, Major, Minor int
	Root, Mountpoint string
	line             string // "" is one of statmount's
	key              uint64 // for statmount
	kind             string // the file system's type, of statmount
}

// mounts are those of this thread, which may have a mount namespace of its own.
func mounts() ([]mount, error) {
	if all, ok := listMounts(); ok {
		return all, nil
	}
	return tableMounts()
}

func tableMounts() ([]mount, error) {
	raw, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("mounts of this host: %w", err)
	}
	all, err := parseMounts(string(raw))
	if err != nil {
		return nil, fmt.Errorf("mounts of this host: %w", err)
	}
	return all, nil
}

var errMountLine = errors.New("a line of mountinfo that cannot be read")

// parseMounts reads ID PARENT MAJOR:MINOR ROOT MOUNTPOINT and leaves the rest
// (proc_pid_mountinfo(5)).
func parseMounts(table string) ([]mount, error) {
	all := make([]mount, 0, strings.Count(table, "\n"))
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		id, rest, _ := strings.Cut(line, " ")
		_, rest, _ = strings.Cut(rest, " ")
		dev, rest, _ := strings.Cut(rest, " ")
		root, rest, _ := strings.Cut(rest, " ")
		point, _, ok := strings.Cut(rest, " ")
		major, minor, _ := strings.Cut(dev, ":")
		m := mount{Root: unescapeOctal(root), Mountpoint: unescapeOctal(point), line: line}
		var err1, err2, err3 error
		m.ID, err1 = strconv.Atoi(id)
		m.Major, err2 = strconv.Atoi(major)
		m.Minor, err3 = strconv.Atoi(minor)
		if err1 != nil || err2 != nil || err3 != nil || !ok {
			return nil, errMountLine
		}
		all = append(all, m)
	}
	return all, nil
}

// overlay reports whether an overlay may be mounted there. info tells.
func (m *mount) overlay() bool { return m.kind == "overlay" || strings.Contains(m.line, " - overlay ") }

// info is the whole line, or of statmount's all that is asked for here.
func (m *mount) info() (*mountinfo.Info, error) {
	if m.line == "" {
		return infoOf(m)
	}
	all, err := mountinfo.GetMountsFromReader(strings.NewReader(m.line), nil)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, errMountLine
	}
	return all[0], nil
}
