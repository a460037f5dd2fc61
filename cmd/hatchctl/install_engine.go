package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/install"
)

// comeBack is how long an engine may take to answer after a restart.
const comeBack = 30 * time.Second

var errNotBack = errors.New("the engine did not come back")

// engineVersion asks the engine's program: "containerd github.com/... v2.4.2".
func engineVersion(engine string) string {
	if engine != "containerd" {
		return ""
	}
	out, err := exec.Command("containerd", "--version").Output()
	if err != nil {
		return ""
	}
	if words := strings.Fields(string(out)); len(words) > 2 {
		return strings.TrimPrefix(words[2], "v")
	}
	return ""
}

// settle asks the engine whether it takes its configuration, and restarts it
// where that was asked for.
func (f *installFlags) settle(w io.Writer, engine string) error {
	if err := f.validate(engine); err != nil {
		return err
	}
	if !f.restart {
		return nil
	}
	f.restarted = true
	if err := shell(f.restartCommand(engine)); err != nil {
		return err
	}
	for end := time.Now().Add(comeBack); ; time.Sleep(500 * time.Millisecond) {
		err := shell(f.aliveCommand(engine))
		if err == nil {
			fmt.Fprintf(w, "%s is back\n", engine)
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w within %s: %w", errNotBack, comeBack, err)
		}
	}
}

// validate has the engine read the file. One that is not installed, or of a
// release that cannot, is not asked.
func (f *installFlags) validate(engine string) error {
	if f.engine.Root != "/" || f.engine.Distribution() != "" {
		return nil
	}
	var args []string
	switch engine {
	case "docker":
		help, err := exec.Command("dockerd", "--help").CombinedOutput()
		if err != nil || !strings.Contains(string(help), "--validate") {
			return nil
		}
		args = []string{"dockerd", "--validate"}
		if f.engine.Config != "" {
			args = append(args, "--config-file", f.engine.Config)
		}
	case "containerd":
		if _, err := exec.LookPath("containerd"); err != nil {
			return nil
		}
		args = []string{"containerd", "config", "dump"}
		if f.engine.Config != "" {
			args = []string{"containerd", "--config", f.engine.Config, "config", "dump"}
		}
	default:
		return nil
	}
	var said bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = &said
	read, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, lastLine(said.String()))
	}
	if engine == "containerd" && f.installing {
		return f.confirm(read)
	}
	return nil
}

var errOverruled = errors.New("a file that containerd's configuration imports overrules it: write it there")

// confirm looks for hatchdog in what containerd makes of all its files.
func (f *installFlags) confirm(read []byte) error {
	state, err := install.ContainerdState(read)
	switch {
	case err != nil:
		return fmt.Errorf("containerd config dump: %w", err)
	case !state.Known:
		return fmt.Errorf("the runtime hatchdog: %w", errOverruled)
	case f.options.SetDefault && !state.Default:
		return fmt.Errorf("the default runtime: %w", errOverruled)
	}
	return nil
}

// rollBack gives the files back, and the engine, if it was restarted.
func (f *installFlags) rollBack(w io.Writer, undo func() error) error {
	fmt.Fprintln(w, "rolling back")
	err := undo()
	if f.restarted {
		err = errors.Join(err, shell(f.restartCommand(f.engine.Name)))
	}
	return err
}

func (f *installFlags) restartCommand(engine string) string {
	switch {
	case f.restartWith != "":
		return f.restartWith
	case engine == "docker":
		return "systemctl daemon-reload && systemctl restart docker"
	case engine == "podman":
		return "true" // it has no daemon
	case f.engine.Distribution() != "":
		return "systemctl try-restart '" + f.engine.Distribution() + "*.service'" // the server's or the agent's
	}
	return "systemctl restart " + engine
}

func (f *installFlags) aliveCommand(engine string) string {
	switch {
	case f.aliveWith != "":
		return f.aliveWith
	case engine == "docker":
		return "docker version"
	case f.engine.Distribution() != "":
		return "systemctl is-active --quiet '" + f.engine.Distribution() + "*.service'"
	case engine == "containerd":
		return "ctr version"
	case engine == "podman":
		return "podman info"
	}
	return "systemctl is-active --quiet " + engine
}

func shell(command string) error {
	out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, lastLine(string(out)))
	}
	return nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
