package control

import (
	"path"
	"strings"
)

// OfProcess reports whether a path lies below /proc/PID, where links lead out of
// any root file system (proc_pid_fd(5), proc_pid_cwd(5), proc_pid_root(5)).
func OfProcess(name string) bool {
	parts := strings.Split(path.Clean("/"+name), "/") // "", proc, PID, ...
	if len(parts) < 4 || parts[1] != "proc" {
		return false
	}
	return parts[2] == "self" || parts[2] == "thread-self" || strings.Trim(parts[2], "0123456789") == ""
}
