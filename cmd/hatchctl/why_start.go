package main

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/why"
)

// stuck is how long a container's file system may take to answer: one that a
// program serves may never.
const stuck = 10 * time.Second

// answered is what f says, if it says it in time.
func answered[T any](name string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(stuck):
		var none T
		return none, fmt.Errorf("%s: the file system does not answer", name)
	}
}

// look follows a path.
func (s *subject) look(name string) (*inside.Place, error) {
	return answered(name, func() (*inside.Place, error) { return inside.Look(s.init, s.c.Process, name) })
}

// text is the beginning of a file.
func (s *subject) text(name string) (string, error) {
	return answered(name, func() (string, error) { return inside.ReadText(s.init, s.c.Process, name) })
}

// started is what the kernel and the dynamic linker find when a program starts.
func (s *subject) started(p *inside.Place) why.Started {
	st, err := answered(p.Asked, func() (why.Started, error) {
		st := why.Started{Caps: p.ReadFileCaps(), Others: inside.OtherFormats()}
		st.Program, st.Err = p.ReadProgram()
		return st, nil
	})
	if err != nil {
		st.Err = err
	}
	if st.Err != nil || st.Program.Kind == "" {
		return st
	}
	st.Foreign = st.Program.Kind == "elf" && !inside.Native(st.Program.Machine)
	if i := st.Program.Interpreter; strings.HasPrefix(i, "/") { // another is where the process is
		if s.interpreter(&st, i); st.Missing != "" || st.Refused != nil {
			return st
		}
	}
	if st.Program.Kind == "elf" && !st.Foreign {
		st.Library, _ = answered(p.Asked, func() (string, error) { // not known is none
			return inside.Lacks(s.init, s.c.Process, p.Node.Path, st.Program), nil
		})
	}
	return st
}

// interpreter looks whether it is there, and may be started.
func (s *subject) interpreter(st *why.Started, name string) {
	at, err := s.look(name)
	if err != nil {
		return
	}
	defer at.Close()
	if at.Err != nil {
		st.Missing = name
		return
	}
	if f := s.c.Path(at, why.Execute); f.Verdict != why.Undetermined {
		st.Refused = &f
		return
	}
	wanted := st.Program.Argument
	if st.Program.Kind == "script" && path.Base(name) == "env" && !strings.ContainsAny(wanted, "/= \t-") && s.unfound(wanted) {
		st.Unfound = wanted
	}
}

// unfound is true where a program is in no directory of PATH, as the engine set it.
func (s *subject) unfound(name string) bool {
	if name == "" || s.c.Asked == nil || s.c.Asked.Process == nil {
		return false
	}
	const most = 32
	for _, entry := range s.c.Asked.Process.Env {
		list, ok := strings.CutPrefix(entry, "PATH=")
		dirs := strings.Split(list, ":")
		if !ok || len(dirs) > most {
			continue
		}
		for _, dir := range dirs {
			p, err := s.look(path.Join("/", dir, name))
			if err != nil || !strings.HasPrefix(dir, "/") {
				return false
			}
			p.Close()
			if p.Err == nil {
				return false
			}
		}
		return true
	}
	return false
}
