package freeze

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Mark tells a control group from one that is made anew under its name: the kernel
// gives no two the same inode (kernfs, 64 bits with a generation).
type Mark map[string]fs.FileInfo

// ErrOther means that the control group was removed, or made anew.
var ErrOther = errors.New("its control group is gone, or another one by now")

// hierarchies are those by which processes are frozen and killed.
func hierarchies() []string { return []string{"freezer", ""} }

// MarkOf reads the mark of a control group's directories, as far as they are there.
func MarkOf(dirs map[string]string) Mark {
	m := Mark{}
	for _, h := range hierarchies() {
		if dirs[h] == "" {
			continue
		}
		if info, err := os.Stat(dirs[h]); err == nil {
			m[h] = info
		}
	}
	return m
}

// Pin gives names to the directories of a control group by which no other one is
// reached, whatever is made under the old names meanwhile, until they are released.
func Pin(dirs map[string]string, m Mark) (pinned map[string]string, release func(), err error) {
	var held []*os.File
	release = func() {
		for _, f := range held {
			_ = f.Close()
		}
	}
	pinned = map[string]string{}
	for h, want := range m {
		f, err := os.Open(dirs[h])
		if err != nil {
			release()
			return nil, nil, errors.Join(ErrOther, err)
		}
		held = append(held, f)
		if is, err := f.Stat(); err != nil || !os.SameFile(is, want) {
			release()
			return nil, nil, errors.Join(ErrOther, err)
		}
		pinned[h] = fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	}
	return pinned, release, nil
}
