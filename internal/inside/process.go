// Package inside reads, from the host, what a container looks like to its own
// processes: who they are, what lies at a path, what their control group counted,
// what listens in their network.
//
// Guarantees: it changes nothing. A path is followed one name at a time below the
// container's root and never leads out of it, whatever the container does
// meanwhile; what is read of a file is bounded. A process is the one that the
// low-level runtime started, not another that has its pid now.
// Does not cover: what a security module decides, and access lists (POSIX ACLs):
// a node says that it has one.
// Requires: root, or the user that the container is of; openat2(2), statx(2).
// Spec fields touched: none.
package inside

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// ErrGone means that the process is gone.
var ErrGone = errors.New("the container's first process is gone")

// Limit is a resource limit; Unlimited is none.
type Limit struct{ Soft, Hard uint64 }

// Unlimited is the value of a limit that is none.
const Unlimited = math.MaxUint64

// Process is one process as the host sees it: ids are those of the host.
type Process struct {
	Pid         int
	UID, GID    uint32 // of file access
	Groups      []uint32
	Effective   []string // capabilities
	Bounding    []string
	NoNewPrivs  bool
	Seccomp     int    // mode: 0 none, 2 a filter (proc_pid_status(5))
	Label       string // of a security module
	UIDs, GIDs  []host.IDMap
	Limits      map[string]Limit // by the names that setrlimit(2) has
	OpenFiles   int
	InnerPid    string // in its own pid namespace
	PidLevel    int    // of that, below the reader's
	OwnUserNS   bool
	OwnNetworks bool
}

// ReadProcess reads the first process of a container.
func ReadProcess(init lowlevel.Init) (*Process, error) {
	if !init.Alive() {
		return nil, ErrGone
	}
	dir := fmt.Sprintf("/proc/%d", init.Pid)
	p := &Process{Pid: init.Pid, Limits: map[string]Limit{}}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return nil, gone(err)
	}
	if err := p.status(status); err != nil {
		return nil, err
	}
	if p.UIDs, err = readIDMap(dir + "/uid_map"); err != nil {
		return nil, gone(err)
	}
	if p.GIDs, err = readIDMap(dir + "/gid_map"); err != nil {
		return nil, gone(err)
	}
	p.limits(dir)
	label, err := os.ReadFile(dir + "/attr/current") // none where there is no such module
	if err == nil {
		p.Label = strings.TrimRight(string(label), "\x00\n")
	}
	p.OwnUserNS, p.OwnNetworks = apart(dir, "user"), apart(dir, "net")
	if files, err := os.ReadDir(dir + "/fd"); err == nil {
		p.OpenFiles = len(files)
	}
	if !init.Alive() {
		return nil, ErrGone
	}
	return p, nil
}

func gone(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return err
}

func apart(dir, kind string) bool {
	its, err := os.Readlink(dir + "/ns/" + kind)
	ours, own := os.Readlink("/proc/self/ns/" + kind)
	return err == nil && own == nil && its != ours
}

// status reads proc_pid_status(5).
func (p *Process) status(text []byte) error {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		var err error
		switch key {
		case "Uid":
			p.UID, err = id(words[len(words)-1])
		case "Gid":
			p.GID, err = id(words[len(words)-1])
		case "Groups":
			for _, w := range words {
				g, gerr := id(w)
				p.Groups, err = append(p.Groups, g), errors.Join(err, gerr)
			}
		case "CapEff":
			p.Effective, err = capabilities(words[0])
		case "CapBnd":
			p.Bounding, err = capabilities(words[0])
		case "NoNewPrivs":
			p.NoNewPrivs = words[0] == "1"
		case "Seccomp":
			p.Seccomp, err = strconv.Atoi(words[0])
		case "NSpid":
			p.InnerPid, p.PidLevel = words[len(words)-1], len(words)-1
		}
		if err != nil {
			return fmt.Errorf("status of process %d: %s: %w", p.Pid, key, err)
		}
	}
	return nil
}

func id(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// capabilities are the names of a mask.
func capabilities(hex string) ([]string, error) {
	mask, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return nil, err
	}
	return named(mask), nil
}

func named(mask uint64) []string {
	var all []string
	for _, c := range capability.ListKnown() {
		if mask&(1<<uint(c)) != 0 {
			all = append(all, "CAP_"+strings.ToUpper(c.String()))
		}
	}
	slices.Sort(all)
	return all
}

func readIDMap(file string) ([]host.IDMap, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all, err := host.ParseIDMap(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// Inside is an id of the host as a user namespace with these ranges has it.
func Inside(maps []host.IDMap, outside uint32) (uint32, bool) {
	for _, m := range maps {
		if outside >= m.Outside && outside-m.Outside < m.Size {
			return m.Inside + outside - m.Outside, true
		}
	}
	return 0, false
}

// limitNames are the lines of proc_pid_limits(5).
func limitNames() map[string]string {
	return map[string]string{
		"Max open files": "RLIMIT_NOFILE", "Max processes": "RLIMIT_NPROC", "Max file size": "RLIMIT_FSIZE",
		"Max core file size": "RLIMIT_CORE", "Max locked memory": "RLIMIT_MEMLOCK", "Max stack size": "RLIMIT_STACK",
		"Max address space": "RLIMIT_AS", "Max cpu time": "RLIMIT_CPU", "Max data size": "RLIMIT_DATA",
		"Max pending signals": "RLIMIT_SIGPENDING", "Max msgqueue size": "RLIMIT_MSGQUEUE",
		"Max nice priority": "RLIMIT_NICE", "Max realtime priority": "RLIMIT_RTPRIO",
	}
}

func (p *Process) limits(dir string) {
	data, err := os.ReadFile(dir + "/limits")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		for title, name := range limitNames() {
			rest, ok := strings.CutPrefix(line, title)
			words := strings.Fields(rest)
			if !ok || len(words) < 2 {
				continue
			}
			p.Limits[name] = Limit{limitOf(words[0]), limitOf(words[1])}
		}
	}
}

func limitOf(word string) uint64 {
	if n, err := strconv.ParseUint(word, 10, 64); err == nil {
		return n
	}
	return Unlimited
}
