package argv

// kind says what follows a flag.
type kind int

const (
	unknown kind = iota
	boolean
	valued
)

// verb is what runc knows of one command (create.go, exec.go, ...).
type verb struct {
	door Door
	// ordered is true where flags end at the first operand (runc's
	// SkipArgReorder).
	ordered bool
	kind    func(flag string) kind
}

func globalKind(flag string) kind {
	switch flag {
	case "root", "log", "log-format", "rootless", "criu", "cgroup-manager":
		return valued
	case "debug", "systemd-cgroup", "help", "h", "version", "v":
		return boolean
	}
	return unknown
}

func verbOf(name string) (verb, bool) {
	switch name {
	case "create":
		return verb{door: Create, kind: createKind}, true
	case "run":
		return verb{door: Run, kind: runKind}, true
	case "restore":
		return verb{door: Restore, kind: restoreKind}, true
	case "exec":
		return verb{door: Exec, ordered: true, kind: execKind}, true
	case "update":
		return verb{door: Update, kind: updateKind}, true
	case "delete":
		return verb{door: Delete, kind: deleteKind}, true
	case "state", "start", "kill", "ps", "pause", "resume", "events", "checkpoint":
		return verb{door: None, ordered: name == "ps", kind: passedKind}, true
	}
	return verb{}, false
}

func createKind(flag string) kind {
	switch flag {
	case "bundle", "b", "console-socket", "pidfd-socket", "pid-file", "preserve-fds":
		return valued
	case "no-pivot", "no-new-keyring", "help", "h":
		return boolean
	}
	return unknown
}

func runKind(flag string) kind {
	switch flag {
	case "detach", "d", "keep", "no-subreaper":
		return boolean
	}
	return createKind(flag)
}

func restoreKind(flag string) kind {
	switch flag {
	case "image-path", "work-path", "manage-cgroups-mode", "empty-ns", "lsm-profile", "lsm-mount-context",
		"bundle", "b", "console-socket", "pid-file":
		return valued
	case "tcp-established", "ext-unix-sk", "shell-job", "file-locks", "detach", "d", "no-subreaper", "no-pivot",
		"auto-dedup", "lazy-pages", "help", "h":
		return boolean
	}
	return unknown
}

func execKind(flag string) kind {
	switch flag {
	case "console-socket", "pidfd-socket", "cwd", "env", "e", "user", "u", "additional-gids", "g", "process", "p",
		"pid-file", "process-label", "apparmor", "cap", "c", "preserve-fds", "cgroup":
		return valued
	case "tty", "t", "detach", "d", "no-new-privs", "ignore-paused", "help", "h":
		return boolean
	}
	return unknown
}

func updateKind(flag string) kind {
	switch flag {
	case "resources", "r", "blkio-weight", "cpu-period", "cpu-quota", "cpu-burst", "cpu-share", "cpu-rt-period",
		"cpu-rt-runtime", "cpuset-cpus", "cpuset-mems", "kernel-memory", "kernel-memory-tcp", "memory", "cpu-idle",
		"memory-reservation", "memory-swap", "pids-limit", "l3-cache-schema", "mem-bw-schema":
		return valued
	case "help", "h":
		return boolean
	}
	return unknown
}

func deleteKind(flag string) kind {
	switch flag {
	case "force", "f", "help", "h":
		return boolean
	}
	return unknown
}

// passedKind is for the verbs that are forwarded: only their id is read, to
// find the low-level runtime that created the container.
func passedKind(flag string) kind {
	switch flag {
	case "format", "f", "interval", "image-path", "work-path", "parent-path", "status-fd", "page-server",
		"manage-cgroups-mode", "empty-ns":
		return valued
	}
	return boolean
}
