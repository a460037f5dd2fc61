package lowlevel

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json/jsontext"
	json "github.com/go-json-experiment/json/v1"

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
	init, err := readInit(data)
	if err != nil || init.Pid <= 0 {
		return Init{}, errNoInit
	}
	return init, nil
}

// readInit reads no further than it needs: a state holds the whole configuration
// of a container behind its first members.
func readInit(state []byte) (Init, error) {
	var init Init
	d := jsontext.NewDecoder(bytes.NewBuffer(state)) // a Buffer is read in place
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return init, errNoInit
	}
	for d.PeekKind() != '}' && (init.Pid == 0 || init.Started == 0) {
		name, err := d.ReadToken()
		if err != nil {
			return init, err
		}
		var into any
		switch name.String() {
		case "init_process_pid", "pid":
			into = &init.Pid
		case "init_process_start", "process-start-time":
			into = &init.Started
		default:
			if err := d.SkipValue(); err != nil {
				return init, err
			}
			continue
		}
		value, err := d.ReadValue()
		if err != nil {
			return init, err
		}
		if err := json.Unmarshal(value, into); err != nil {
			return init, err
		}
	}
	return init, nil
}

// Alive reports whether the process is there. A pid that came again is another
// process.
func (i Init) Alive() bool {
	now := decision.StartTime(i.Pid)
	return now != 0 && (i.Started == 0 || now == i.Started)
}
