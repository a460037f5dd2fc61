// Package freeze stops all processes of a control group, and lets them go on.
//
// Guarantees: when Freeze returns without an error, no process of the control
// group runs, nor one that it makes; what fails is thawed again. Both versions of
// control groups.
// Does not cover: processes that left the control group; what other programs
// (an engine's pause) do to the same control group.
// Requires: the freezer of version 1, or Linux 5.2 for version 2.
// Spec fields touched: none.
package freeze

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Errors of a control group that is not frozen.
var (
	ErrNone = errors.New("its control group has no freezer")
	ErrSlow = errors.New("a process of it does not stop")
)

// patience is how long a control group may take. A process that waits in the
// kernel where nothing interrupts it holds it up.
const patience = 10 * time.Second

// Freezer is a control group that can be frozen.
type Freezer struct {
	set, state   string // files
	frozen, free string // what is written to set
	is           string // what state has when all are frozen
}

// Of finds it among the directories of a control group: by controller in version
// 1, under "" in version 2 (kernel, cgroup-v1/freezer-subsystem and cgroup-v2.rst).
// A host may have both: then it is that of version 1, as for runc.
func Of(dirs map[string]string) (*Freezer, error) {
	one := &Freezer{filepath.Join(dirs["freezer"], "freezer.state"), filepath.Join(dirs["freezer"], "freezer.state"), "FROZEN", "THAWED", "FROZEN"}
	two := &Freezer{filepath.Join(dirs[""], "cgroup.freeze"), filepath.Join(dirs[""], "cgroup.events"), "1", "0", "frozen 1"}
	for _, has := range []struct {
		dir string
		f   *Freezer
	}{{dirs["freezer"], one}, {dirs[""], two}} {
		if has.dir == "" {
			continue
		}
		if _, err := os.Stat(has.f.set); err == nil {
			return has.f, nil
		}
	}
	return nil, ErrNone
}

// Frozen reports whether all of its processes are.
func (f *Freezer) Frozen() (bool, error) {
	data, err := os.ReadFile(f.state)
	if err != nil {
		return false, fmt.Errorf("freezer: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == f.is {
			return true, nil
		}
	}
	return false, nil
}

// Freeze returns when all are frozen. Version 1 wants to be told again where a
// process was made meanwhile, and to let them go for a moment where that does not
// end (runc, libcontainer's freezer of version 1, does the same).
func (f *Freezer) Freeze() error {
	const breath = 50 // tries
	for end, try := time.Now().Add(patience), 1; ; try++ {
		if err := write(f.set, f.frozen); err != nil {
			return err
		}
		done, err := f.Frozen()
		switch {
		case err != nil:
			return errors.Join(err, f.Thaw())
		case done:
			return nil
		case time.Now().After(end):
			return errors.Join(ErrSlow, f.Thaw())
		}
		if try%breath == 0 {
			if err := f.Thaw(); err != nil {
				return err
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		time.Sleep(min(time.Duration(try)*100*time.Microsecond, 5*time.Millisecond))
	}
}

// Thaw lets them go on.
func (f *Freezer) Thaw() error { return write(f.set, f.free) }

func write(file, text string) error {
	w, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("freezer: %w", err)
	}
	_, err = w.WriteString(text)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("freezer: %w", err)
	}
	return nil
}
