package lowlevel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

var errNoInit = errors.New("the low-level runtime's state does not name the container's first process")

// Init is the pid of a container's first process: runc keeps it in state.json,
// crun in status.
func Init(root, id string) (int, error) {
	data, err := os.ReadFile(filepath.Join(root, id, "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(root, id, "status"))
	}
	if err != nil {
		return 0, fmt.Errorf("the low-level runtime's state: %w", err)
	}
	var state struct {
		Runc int `json:"init_process_pid"`
		Crun int `json:"pid"`
	}
	if json.Unmarshal(data, &state) != nil || state.Runc+state.Crun <= 0 {
		return 0, errNoInit
	}
	return max(state.Runc, state.Crun), nil
}
