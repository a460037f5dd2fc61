package inside

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// maxText bounds what is read of a text of a container's, in bytes.
const maxText = 64 << 10

var (
	errNotRegular = errors.New("not a regular file")
	errOfKernel   = errors.New("not a file of a file system that holds files")
)

// open opens a place's regular file for reading, through what was looked at. It
// leaves the time of the last access as it is. Where the kernel makes up what is
// read, reading may take it away from others (/proc/kmsg, trace_pipe).
func (p *Place) open() (*os.File, error) {
	if p.Err != nil || !p.Node.Regular() || p.Fd < 0 {
		return nil, errNotRegular
	}
	if !storesFiles(p.Fd) {
		return nil, errOfKernel
	}
	const flags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	name := fmt.Sprintf("/proc/self/fd/%d", p.Fd)
	f, err := os.OpenFile(name, flags|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) { // of an owner that this process is not over
		return os.OpenFile(name, flags, 0)
	}
	return f, err
}

// ReadText reads the beginning of a file in a container; none is "".
func ReadText(init lowlevel.Init, proc *Process, name string) (string, error) {
	p, err := Look(init, proc, name)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if p.Err != nil {
		return "", p.Err
	}
	f, err := p.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxText))
	return string(data), err
}

// Program is what the kernel needs to start a file.
type Program struct {
	Kind        string // "elf", "script" or "" for neither
	Machine     elf.Machine
	Interpreter string   // the dynamic linker, or the program of a script
	Argument    string   // of the program of a script
	Needed      []string // libraries
	Paths       []string // that the file says to look for them in
}

// ReadProgram reads the head of a file that is to be executed (execve(2)).
func (p *Place) ReadProgram() (*Program, error) {
	f, err := p.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const longest = 256 // BINPRM_BUF_SIZE
	head := make([]byte, longest)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head = head[:n]
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		return readScript(string(line)), nil
	}
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return &Program{}, nil
	}
	return readELF(f, head)
}

// readScript reads the line behind #! as the kernel does (fs/binfmt_script.c): no
// character but a space, a tab and the line's end ends the program's name.
func readScript(line string) *Program {
	line, _, _ = strings.Cut(line, "\n")
	line, _, _ = strings.Cut(line, "\x00")
	line = strings.Trim(line, " \t")
	if line == "" {
		return &Program{}
	}
	p := &Program{Kind: "script", Interpreter: line}
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		p.Interpreter, p.Argument = line[:i], strings.Trim(line[i:], " \t")
	}
	return p
}

// Lacks is the first library of a program that is in none of the places where
// the dynamic linker of glibc or musl looks for one; "" where none is missed, or
// where it cannot be told.
func Lacks(init lowlevel.Init, proc *Process, at string, program *Program) string {
	dirs := []string{"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib"}
	for _, triple := range []string{"x86_64-linux-gnu", "aarch64-linux-gnu"} {
		dirs = append(dirs, "/lib/"+triple, "/usr/lib/"+triple)
	}
	for _, d := range program.Paths {
		d = strings.NewReplacer("${ORIGIN}", path.Dir(at), "$ORIGIN", path.Dir(at)).Replace(d)
		if strings.Contains(d, "$") {
			return ""
		}
		dirs = append(dirs, d)
	}
	missing := firstMissing(init, proc, program, dirs)
	if missing == "" || there(init, proc, "/etc/ld-musl-x86_64.path") || there(init, proc, "/etc/ld-musl-aarch64.path") {
		return ""
	}
	cache, err := ReadText(init, proc, "/etc/ld.so.cache")
	switch {
	case errors.Is(err, os.ErrNotExist):
		return missing
	case err != nil, len(cache) == maxText, strings.Contains(cache, missing): // it names other places
		return ""
	}
	return missing
}

func firstMissing(init lowlevel.Init, proc *Process, program *Program, dirs []string) string {
	for _, lib := range program.Needed {
		found := strings.Contains(lib, "/") && there(init, proc, lib)
		for _, d := range dirs {
			found = found || there(init, proc, path.Join("/", d, lib))
		}
		if !found && !strings.Contains(lib, "musl") {
			return lib
		}
	}
	return ""
}

func there(init lowlevel.Init, proc *Process, name string) bool {
	p, err := Look(init, proc, name)
	if err != nil {
		return true // it cannot be told
	}
	p.Close()
	return p.Err == nil
}

// Native reports whether this host runs programs of a machine: its own, and on
// amd64 those of i386.
func Native(m elf.Machine) bool {
	switch runtime.GOARCH {
	case "amd64":
		return m == elf.EM_X86_64 || m == elf.EM_386
	case "arm64":
		return m == elf.EM_AARCH64 || m == elf.EM_ARM
	}
	return true // it cannot be told
}
