package host

import (
	"os"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Own is hatchdog's own executable, which is a hook where the container's
// network is only there when the low-level runtime has made it.
type Own struct {
	Path string `json:"path"` // "" where it cannot be told
	ID   FileID `json:"id"`
	// Record is the directory of the container's record, of which the hook
	// learns what to do.
	Record string `json:"record"`
}

// HookVerb is what the hook's command line begins with.
const HookVerb = "egress-hook"

// hookPatience is how long the hook may take, in seconds.
const hookPatience = 20

// Hook is the hook, as the spec names it.
func (o Own) Hook() specs.Hook {
	patience := hookPatience
	return specs.Hook{Path: o.Path, Args: []string{"hatchdog", HookVerb, o.Record}, Timeout: &patience}
}

// Is reports whether a hook, whose executable was found to be file, is ours
// for this very container.
func (o Own) Is(h specs.Hook, file HookFile) bool {
	own := o.Hook()
	return o.Path != "" && h.Path == own.Path && file.Err == "" && file.ID == o.ID && slices.Equal(h.Args, own.Args) && len(h.Env) == 0
}

// OwnIn is what a spec's hook says of the hatchdog that wrote it, for who looks
// at the spec later. nil is no such hook.
func OwnIn(s *specs.Spec) *Own {
	if s.Hooks == nil {
		return nil
	}
	for _, h := range s.Hooks.CreateRuntime {
		var st unix.Stat_t
		if len(h.Args) == 3 && h.Args[1] == HookVerb && filepath.Base(h.Path) == h.Args[0] && unix.Stat(h.Path, &st) == nil {
			return &Own{Path: h.Path, ID: FileID{st.Dev, st.Ino}, Record: h.Args[2]}
		}
	}
	return nil
}

func own(record string) Own {
	path, err := os.Executable()
	if err != nil {
		return Own{}
	}
	var st, running unix.Stat_t
	if unix.Stat(path, &st) != nil || unix.Stat("/proc/self/exe", &running) != nil || st.Dev != running.Dev || st.Ino != running.Ino {
		return Own{} // replaced since it was started
	}
	return Own{Path: path, ID: FileID{st.Dev, st.Ino}, Record: record}
}
