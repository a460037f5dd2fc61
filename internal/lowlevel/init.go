package lowlevel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/decision"
)

var errNoInit = errors.New("the low-level runtime's state does not name the container's first process")

// Init is a container's first process: its pid, and when it started in clock
// ticks after boot (proc_pid_stat(5), field 22), 0 where it is not kept.
type Init struct {
	Pid     int
	Started uint64
}

// FindInit reads it from where the low-level runtime keeps it: runc in
// state.json, crun in status.
func FindInit(root, id string) (Init, error) {
	data, err := os.ReadFile(filepath.Join(root, id, "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(root, id, "status"))
	}
	if err != nil {
		return Init{}, fmt.Errorf("the low-level runtime's state: %w", err)
	}
	var state struct {
		Runc        int    `json:"init_process_pid"`
		RuncStarted uint64 `json:"init_process_start"`
		Crun        int    `json:"pid"`
		CrunStarted uint64 `json:"process-start-time"`
	}
	if json.Unmarshal(data, &state) != nil || state.Runc+state.Crun <= 0 {
		return Init{}, errNoInit
	}
	return Init{Pid: max(state.Runc, state.Crun), Started: max(state.RuncStarted, state.CrunStarted)}, nil
}

// Alive reports whether the process is there. A pid that came again is another
// process.
func (i Init) Alive() bool {
	now := decision.StartTime(i.Pid)
	return now != 0 && (i.Started == 0 || now == i.Started)
}
