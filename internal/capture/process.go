package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// The bounds of what is kept of processes.
const (
	processesMost = 2048
	filesMost     = 1024 // of one process
	mapsMost      = 4096 // lines, of one process
	nameMost      = 512  // bytes of a path, an argument or a variable's name
	wordsMost     = 256  // arguments, and variables
	textMost      = 256 << 10
	groupsMost    = 512 // control groups
	unanswered    = 2 * time.Second
)

// Process is one process. Ids are those of the host.
type Process struct {
	Pid          int      `json:"pid"`
	Parent       int      `json:"parent"`
	Inner        string   `json:"innerPid"`
	Name         string   `json:"name"`
	State        string   `json:"state"`
	Started      uint64   `json:"started"` // ticks after boot
	UID          uint32   `json:"uid"`
	GID          uint32   `json:"gid"`
	Groups       []uint32 `json:"groups,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
	NoNewPrivs   bool     `json:"noNewPrivileges"`
	Seccomp      int      `json:"seccomp"`
	Label        string   `json:"label,omitempty"`
	Executable   string   `json:"executable"`
	Directory    string   `json:"directory"`
	Root         string   `json:"root"`
	Arguments    []string `json:"arguments"`
	Environment  []string `json:"environment"` // names alone
	Files        []string `json:"files"`
	Maps         []string `json:"maps"`
	// Outside is true for one that is in the container's pid namespace, and not
	// in its control group.
	Outside bool `json:"outsideOfItsControlGroup,omitempty"`
	// Lacks is what could not be read, or was cut.
	Lacks []string `json:"lacks,omitempty"`
}

// Pids are the processes of a control group and of those below it, and those of
// the pid namespace of its first process, where that is not the host's.
func Pids(dirs map[string]string, first int) (members, strays []int) {
	dir := dirs["pids"]
	if dir == "" {
		dir = dirs[""]
	}
	groups := []string{dir}
	for i := 0; i < len(groups) && i < groupsMost && dir != ""; i++ {
		members = append(members, inside.Members(map[string]string{"": groups[i]}, processesMost-len(members))...)
		below, err := os.ReadDir(groups[i])
		if err != nil {
			continue
		}
		for _, b := range below {
			if b.IsDir() {
				groups = append(groups, filepath.Join(groups[i], b.Name()))
			}
		}
	}
	return members, stray(members, first)
}

func stray(members []int, first int) []int {
	own, err := os.Readlink("/proc/self/ns/pid")
	its, ierr := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", first))
	if err != nil || ierr != nil || own == its {
		return nil
	}
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, p := range all {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || slices.Contains(members, pid) || len(found) >= processesMost {
			continue
		}
		if ns, err := os.Readlink("/proc/" + p.Name() + "/ns/pid"); err == nil && ns == its {
			found = append(found, pid)
		}
	}
	return found
}

// Processes reads all of them. One whose memory does not answer in time is told
// without what is in it: it may be served by a program of the container's.
func Processes(members, strays []int) []Process {
	all := make([]Process, 0, len(members)+len(strays))
	for _, pid := range slices.Concat(members, strays) {
		p := Process{Pid: pid, Outside: slices.Contains(strays, pid), Started: decision.StartTime(pid)}
		if p.Started == 0 {
			continue // gone
		}
		p.kept()
		done := make(chan Process, 1)
		go func(p Process) { p.memory(); done <- p }(p)
		select {
		case p = <-done:
		case <-time.After(unanswered):
			p.Lacks = append(p.Lacks, "arguments, environment and maps: its memory does not answer")
		}
		if decision.StartTime(pid) == p.Started {
			all = append(all, p)
		}
	}
	return all
}

func (p *Process) dir() string { return fmt.Sprintf("/proc/%d", p.Pid) }

// kept is what the kernel has of a process itself.
func (p *Process) kept() {
	status, err := inside.ReadProcess(lowlevel.Init{Pid: p.Pid, Started: p.Started})
	if err != nil {
		p.Lacks = append(p.Lacks, "status: "+err.Error())
	} else {
		p.Inner, p.UID, p.GID, p.Groups, p.Capabilities = status.InnerPid, status.UID, status.GID, status.Groups, status.Effective
		p.NoNewPrivs, p.Seccomp, p.Label = status.NoNewPrivs, status.Seccomp, status.Label
	}
	if stat, err := os.ReadFile(p.dir() + "/stat"); err == nil {
		// PID (NAME) STATE PPID ... (proc_pid_stat(5)); NAME may hold anything.
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if rest := strings.Fields(string(stat[end+1:])); open >= 0 && end > open && len(rest) > 1 {
			p.Name, p.State = string(stat[open+1:end]), rest[0]
			p.Parent, _ = strconv.Atoi(rest[1])
		}
	}
	p.Executable, p.Directory, p.Root = p.link("exe"), p.link("cwd"), p.link("root")
	p.files()
}

func (p *Process) link(name string) string {
	to, err := os.Readlink(p.dir() + "/" + name)
	if err != nil {
		return ""
	}
	return p.short(to)
}

func (p *Process) short(s string) string {
	if len(s) <= nameMost {
		return s
	}
	return s[:nameMost] + "..."
}

func (p *Process) files() {
	d, err := os.Open(p.dir() + "/fd")
	if err != nil {
		p.Lacks = append(p.Lacks, "open files: "+err.Error())
		return
	}
	defer d.Close()
	names, err := d.Readdirnames(filesMost)
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	slices.SortFunc(names, func(a, b string) int { return len(a)*1000 - len(b)*1000 + strings.Compare(a, b) })
	for _, n := range names {
		p.Files = append(p.Files, n+" "+p.link("fd/"+n))
	}
	if more, _ := d.Readdirnames(1); len(more) > 0 {
		p.Lacks = append(p.Lacks, fmt.Sprintf("open files: there are more than %d", filesMost))
	}
}

// memory is what is read out of a process's own memory.
func (p *Process) memory() {
	p.Arguments = p.words("cmdline", func(s string) string { return p.short(s) })
	p.Environment = p.words("environ", func(s string) string {
		name, _, ok := strings.Cut(s, "=")
		if !ok {
			return "" // it may be a value
		}
		return p.short(name)
	})
	text := p.read("maps")
	for line := range strings.Lines(text) {
		if len(p.Maps) == mapsMost {
			p.Lacks = append(p.Lacks, fmt.Sprintf("maps: there are more than %d", mapsMost))
			break
		}
		words := strings.Fields(line)
		const name = 5
		if len(words) > name || len(words) > 1 && strings.Contains(words[1], "x") {
			p.Maps = append(p.Maps, p.short(strings.TrimSpace(line)))
		}
	}
}

func (p *Process) words(file string, f func(string) string) []string {
	var all []string
	for word := range strings.SplitSeq(strings.TrimRight(p.read(file), "\x00"), "\x00") {
		if len(all) == wordsMost {
			p.Lacks = append(p.Lacks, fmt.Sprintf("%s: there are more than %d", file, wordsMost))
			break
		}
		if w := f(word); w != "" {
			all = append(all, w)
		}
	}
	return all
}

// read reads the beginning of a file of procfs.
func (p *Process) read(name string) string {
	f, err := os.OpenFile(p.dir()+"/"+name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		p.Lacks = append(p.Lacks, name+": "+err.Error())
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, textMost))
	if err != nil {
		p.Lacks = append(p.Lacks, name+": "+err.Error())
	}
	if len(data) == textMost {
		p.Lacks = append(p.Lacks, fmt.Sprintf("%s: %d bytes of it are kept", name, textMost))
	}
	return string(data)
}

// Sockets are the sockets of a process's network, as the kernel lists them.
func Sockets(pid int) map[string]string {
	p := &Process{Pid: pid}
	all := map[string]string{}
	for _, name := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix", "packet", "route"} {
		if text := p.read("net/" + name); text != "" {
			all[name] = text
		}
	}
	return all
}
