package door

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
)

var errNames = errors.New("users other than root can change what the path leads to, where the low-level runtime writes as root; name one in a folder that is root's")

// steadyNames refuses a path of the command line that the low-level runtime writes
// to, or reads its state from, where others can say what it leads to: a link there
// makes it write to any file of the host.
func (w World) steadyNames(call *argv.Call) error {
	if w.Euid != 0 {
		return nil // it can do no more than its user
	}
	names := map[string]string{"root": call.Global.Root, "log": call.Global.Log}
	for _, flag := range []string{"pid-file", "console-socket", "pidfd-socket", "image-path", "work-path"} {
		names[flag] = first(call.Value(flag))
	}
	for flag, name := range names {
		if name != "" && !steadyName(name) && !w.UserNS() {
			return fmt.Errorf("--%s: %w", flag, errNames)
		}
	}
	return nil
}

func steadyName(name string) bool {
	switch {
	case name == "/dev/stdout", name == "/dev/stderr", strings.HasPrefix(name, "/dev/fd/"), strings.HasPrefix(name, "/proc/self/fd/"):
		return true // what the caller has open
	}
	abs, err := filepath.Abs(name)
	return err == nil && bundle.SteadyName(abs)
}
