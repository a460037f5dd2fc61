package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/owner"
)

// hook looks at a hook's executable, and holds it where its name may lead
// elsewhere later.
func (s *Sources) hook(path string) HookFile {
	if !filepath.IsAbs(path) {
		return HookFile{Err: "not an absolute path"}
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return HookFile{Err: err.Error()}
	}
	h := hookFile(fd, path)
	if h.Err != "" || !h.Linked || h.Gone {
		_ = unix.Close(fd)
		return h
	}
	if was, ok := s.hooks[path]; ok {
		_ = unix.Close(was)
	}
	s.hooks[path] = fd
	return h
}

// Hook is the descriptor of a hook's executable that is held.
func (s *Sources) Hook(path string) (int, bool) {
	fd, ok := s.hooks[path]
	return fd, ok
}

func hookFile(fd int, path string) HookFile {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return HookFile{Err: err.Error()}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return HookFile{Err: "not a regular file"}
	}
	resolved, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return HookFile{Err: err.Error()}
	}
	pid := exeOf(path)
	var h HookFile
	id := FileID{st.Dev, st.Ino}
	if !leadsTo(resolved, id) {
		// An engine that was updated runs a file that has no name any more. In
		// another mount namespace the text is a path there.
		name, gone := strings.CutSuffix(resolved, " (deleted)")
		if !gone || pid == "" || filepath.Base(name) != "dockerd" || !isHostRoot(pid) {
			return HookFile{Err: "its name leads to another file here"}
		}
		resolved = name
		h.Gone = true
	}
	h.Resolved, h.ID, h.Linked = resolved, id, pid != ""
	h.RootOnly = owner.Trusted(resolved, st.Uid) && st.Mode&0o022 == 0 && bundle.Steady(filepath.Dir(resolved)) && (pid != "" || bundle.Steady(path))
	h.Dockerd = pid != "" && h.RootOnly && filepath.Base(resolved) == "dockerd" && isHostRoot(pid)
	return h
}

// leadsTo reports whether a path leads to a file in our mount namespace.
func leadsTo(path string, id FileID) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && FileID{st.Dev, st.Ino} == id
}

// exeOf is PID of /proc/PID/exe, or "".
func exeOf(path string) string {
	pid, ok := strings.CutSuffix(strings.TrimPrefix(path, "/proc/"), "/exe")
	if !ok || !strings.HasPrefix(path, "/proc/") || pid == "" || strings.Trim(pid, "0123456789") != "" {
		return ""
	}
	return pid
}

// isHostRoot reports whether a process is root's and in the mount and pid
// namespaces of the host or of the engine, which are our own.
func isHostRoot(pid string) bool {
	var st unix.Stat_t
	if unix.Stat("/proc/"+pid, &st) != nil || !owner.Trusted("/proc/"+pid, st.Uid) {
		return false
	}
	for _, typ := range []string{"mount", "pid"} {
		if unix.Stat("/proc/"+pid+"/ns/"+nsFile(typ), &st) != nil {
			return false
		}
		found := false
		for _, id := range hostNamespace(typ) {
			found = found || id == FileID{st.Dev, st.Ino}
		}
		if !found {
			return false
		}
	}
	return true
}
