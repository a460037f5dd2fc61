package freeze

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Kill ends all processes of a control group and of those below it, also those that
// are frozen. Version 2 does so by itself (cgroup.kill, Linux 5.14). Otherwise they
// are frozen first, so that none is made meanwhile and none has the pid of another.
func Kill(dirs map[string]string) error {
	f, err := Of(dirs)
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.set)
	if err := write(filepath.Join(dir, "cgroup.kill"), "1"); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for end := time.Now().Add(patience); ; {
		if err := f.Freeze(); err != nil {
			return err
		}
		n, err := killAll(dir)
		if err = errors.Join(err, f.Thaw()); err != nil || n == 0 {
			return err
		}
		if time.Now().After(end) {
			return ErrSlow
		}
		time.Sleep(time.Millisecond)
	}
}

func killAll(dir string) (n int, err error) {
	err = filepath.WalkDir(dir+"/.", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, word := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(word)
			if err != nil || pid <= 0 {
				continue // 0 is of another pid namespace
			}
			n++
			p, err := os.FindProcess(pid)
			if err == nil {
				err = p.Kill()
			}
			if err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("kill %d: %w", pid, err)
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil // it is gone
	}
	return n, err
}
