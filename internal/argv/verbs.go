package argv

import (
	"slices"
	"strings"
)

// kind says what follows a flag.
type kind int

const (
	unknown kind = iota
	boolean
	valued
)

// flags are those that one command knows.
type flags struct {
	boolean, valued []string
	// open is true where a flag that is not known counts as boolean.
	open bool
}

func (f flags) kind(name string) kind {
	switch {
	case slices.Contains(f.valued, name):
		return valued
	case f.open || slices.Contains(f.boolean, name):
		return boolean
	}
	return unknown
}

// abbreviated reports whether name begins one that is known: crun takes it for
// that one (getopt_long(3)), runc does not know it.
func (f flags) abbreviated(name string) bool {
	return slices.ContainsFunc(slices.Concat(f.boolean, f.valued), func(full string) bool {
		return name != full && strings.HasPrefix(full, name)
	})
}

// verb is what runc knows of one command (create.go, exec.go, ...).
type verb struct {
	door Door
	// ordered is true where flags end at the first operand (runc's
	// SkipArgReorder).
	ordered bool
	flags   flags
}

// isVerb reports whether a word is a command of runc or crun.
func isVerb(word string) bool {
	_, ok := verbOf(word)
	return ok || slices.Contains([]string{"features", "list", "spec", "init", "help", "h"}, word)
}

func globalFlags() flags {
	return flags{
		boolean: []string{"debug", "systemd-cgroup", "help", "h", "version", "v"},
		// The last three are crun's, and of runc 1.0.
		valued: []string{"root", "log", "log-format", "rootless", "criu", "cgroup-manager", "log-level"},
	}
}

// verbOf knows the doors, and the commands that name a container.
func verbOf(name string) (verb, bool) {
	switch name {
	case "create":
		return verb{door: Create, flags: createFlags()}, true
	case "run":
		return verb{door: Run, flags: runFlags()}, true
	case "restore":
		return verb{door: Restore, flags: restoreFlags()}, true
	case "exec":
		return verb{door: Exec, ordered: true, flags: execFlags()}, true
	case "update":
		return verb{door: Update, flags: updateFlags()}, true
	case "delete":
		return verb{door: Delete, flags: flags{boolean: []string{"force", "f", "help", "h"}}}, true
	case "mounts": // crun's: it mounts into a container that runs
		return verb{door: Unheld, flags: passedFlags()}, true
	case "start":
		return verb{door: Start, flags: flags{boolean: []string{"help", "h"}}}, true
	case "state", "kill", "ps", "pause", "resume", "events", "checkpoint":
		return verb{door: None, ordered: name == "ps", flags: passedFlags()}, true
	}
	return verb{}, false
}

func createFlags() flags {
	return flags{
		boolean: []string{"no-pivot", "no-new-keyring", "help", "h"},
		// config is crun's.
		valued: []string{"bundle", "b", "console-socket", "pidfd-socket", "pid-file", "preserve-fds", "config", "f"},
	}
}

func runFlags() flags {
	f := createFlags()
	f.boolean = append(f.boolean, "detach", "d", "keep", "no-subreaper")
	return f
}

func restoreFlags() flags {
	return flags{
		boolean: []string{
			"tcp-established", "ext-unix-sk", "shell-job", "file-locks", "detach", "d", "no-subreaper", "no-pivot",
			"auto-dedup", "lazy-pages", "help", "h",
		},
		valued: []string{
			"image-path", "work-path", "manage-cgroups-mode", "empty-ns", "lsm-profile", "lsm-mount-context",
			"bundle", "b", "console-socket", "pid-file",
		},
	}
}

func execFlags() flags {
	return flags{
		boolean: []string{"tty", "t", "detach", "d", "no-new-privs", "ignore-paused", "help", "h"},
		valued: []string{
			"console-socket", "pidfd-socket", "cwd", "env", "e", "user", "u", "additional-gids", "g", "process", "p",
			"pid-file", "process-label", "apparmor", "cap", "c", "preserve-fds", "cgroup",
		},
	}
}

func updateFlags() flags {
	return flags{
		boolean: []string{"help", "h"},
		valued: []string{
			"resources", "r", "blkio-weight", "cpu-period", "cpu-quota", "cpu-burst", "cpu-share", "cpu-rt-period",
			"cpu-rt-runtime", "cpuset-cpus", "cpuset-mems", "kernel-memory", "kernel-memory-tcp", "memory", "cpu-idle",
			"memory-reservation", "memory-swap", "pids-limit", "l3-cache-schema", "mem-bw-schema",
		},
	}
}

// passedFlags are for the verbs that are forwarded: only their id is read, to
// find the low-level runtime that created the container.
func passedFlags() flags {
	return flags{open: true, valued: []string{
		"format", "f", "interval", "image-path", "work-path", "parent-path", "status-fd", "page-server",
		"manage-cgroups-mode", "empty-ns",
	}}
}
