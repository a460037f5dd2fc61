package lowlevel

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

var errNoPid = errors.New("the low-level runtime's state names no process: is the container running?")

// InitPid is the first process of a container, as runc (state.json) or crun
// (status) keep it.
func InitPid(root, id string) (int, error) {
	for _, name := range []string{"state.json", "status"} {
		data, err := os.ReadFile(filepath.Join(root, id, name))
		if err != nil {
			continue
		}
		var state struct {
			Runc int `json:"init_process_pid"`
			Crun int `json:"pid"`
		}
		if json.Unmarshal(data, &state) != nil {
			continue
		}
		if pid := max(state.Runc, state.Crun); pid > 0 {
			return pid, nil
		}
	}
	return 0, errNoPid
}
