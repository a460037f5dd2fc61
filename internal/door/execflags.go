package door

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

// errNoArgs is runc's own word (exec.go).
var errNoArgs = errors.New("exec args cannot be empty")

// describing are the flags that say what the process is. Where there is a
// document, the low-level runtime passes over them (exec.go of runc 1.5.2 and
// 1.1.5, getProcess; exec.c of crun).
func describing(name string) bool {
	return slices.Contains([]string{
		"process", "p", "cwd", "env", "e", "tty", "t", "user", "u", "additional-gids", "g", "process-label", "apparmor",
		"no-new-privs", "cap", "c",
	}, name)
}

// flagsProcess is the process that runc makes of the flags: the container's
// own, with what they change (getProcess).
func (f *further) flagsProcess() (*bundle.Document[specs.Process], error) {
	args := f.call.Operands[1:]
	if len(args) == 0 {
		return nil, errNoArgs
	}
	p, err := f.ownProcess()
	if err != nil {
		return nil, err
	}
	p.Args, p.CommandLine = args, ""
	p.Env = append(p.Env, f.call.Values("env", "e")...)
	p.Terminal = f.call.Bool("tty", "t")
	for flag, field := range map[string]*string{"cwd": &p.Cwd, "apparmor": &p.ApparmorProfile, "process-label": &p.SelinuxLabel} {
		if value, _ := f.call.Value(flag); value != "" {
			*field = value
		}
	}
	if f.call.IsSet("no-new-privs") {
		p.NoNewPrivileges = f.call.Bool("no-new-privs")
	}
	addCaps(p, f.call.Values("cap", "c"))
	if err := f.flagsUser(&p.User); err != nil {
		return nil, err
	}
	return encodeProcess(p)
}

// addCaps adds to the sets that runc adds to. It adds to the ambient set where
// the inheritable one is there.
func addCaps(p *specs.Process, names []string) {
	if len(names) == 0 {
		return
	}
	if p.Capabilities == nil {
		p.Capabilities = &specs.LinuxCapabilities{}
	}
	c := p.Capabilities
	c.Bounding = append(c.Bounding, names...)
	c.Effective = append(c.Effective, names...)
	c.Permitted = append(c.Permitted, names...)
	if c.Inheritable != nil {
		c.Ambient = append(c.Ambient, names...)
	}
}

// flagsUser reads --user and --additional-gids. runc would cut a larger number
// to 32 bits, and take another user or group.
func (f *further) flagsUser(u *specs.User) error {
	if text, _ := f.call.Value("user", "u"); text != "" {
		uid, gid, both := strings.Cut(text, ":")
		if err := idFlag(uid, &u.UID); err != nil {
			return fmt.Errorf("--user: %w", err)
		}
		if both {
			if err := idFlag(gid, &u.GID); err != nil {
				return fmt.Errorf("--user: %w", err)
			}
		}
	}
	for _, text := range f.call.Values("additional-gids", "g") {
		var gid uint32
		if err := idFlag(text, &gid); err != nil {
			return fmt.Errorf("--additional-gids: %w", err)
		}
		u.AdditionalGids = append(u.AdditionalGids, gid)
	}
	return nil
}

func idFlag(text string, id *uint32) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxUint32 {
		return errNumber
	}
	*id = uint32(n)
	return nil
}

// asFile is the command line for a process that flags described and a document
// describes now. runc goes to the bundle before it reads the sockets' names.
func (f *further) asFile(document string) []string {
	words := f.call.Edit(func(name, value string) (string, bool) {
		socket := name == "console-socket" || name == "pidfd-socket"
		if socket && value != "" && !filepath.IsAbs(value) && f.rec.Decision.Runtime.Name == "runc" {
			value = filepath.Join(f.rec.Decision.Bundle, value)
		}
		return value, !describing(name)
	}, "--process="+document)
	return words[:len(words)-len(f.call.Operands)+1]
}
