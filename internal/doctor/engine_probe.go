package doctor

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
	"github.com/hatchdog/hatchdog/internal/install"
)

// probeEngines finds the engines by their programs and configuration. root is
// "/" but in tests.
func probeEngines(root string) []Engine {
	var all []Engine
	for _, probe := range []func(string) (Engine, bool){docker, containerd, crio, podman} {
		if e, there := probe(root); there {
			all = append(all, e)
		}
	}
	return all
}

// installed looks for one of an engine's programs.
func installed(root string, programs ...string) bool {
	for _, p := range programs {
		for _, dir := range []string{"usr/bin", "usr/local/bin", "usr/sbin", "usr/local/sbin", "bin"} {
			if executable(filepath.Join(root, dir, p)) {
				return true
			}
		}
	}
	return false
}

// config reads a file; one that is not there is nil.
func config(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

func docker(root string) (Engine, bool) {
	c, _ := engine.ConfigOf(engine.DockerName)
	e := Engine{Name: c.Name, Config: filepath.Join(root, c.File)}
	raw, err := config(e.Config)
	if raw == nil && err == nil && !installed(root, c.Programs...) {
		return e, false
	}
	var s install.State
	if err == nil {
		s, err = install.DockerState(raw)
	}
	e.Known, e.Default, e.Err = s.Known, s.Default, err
	units, _ := filepath.Glob(filepath.Join(root, "etc/systemd/system/docker.service.d/*.conf")) // only a bad pattern is an error
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		e.BuildKit = e.BuildKit || err == nil && buildsWithHatchdog(string(text))
	}
	return e, true
}

func buildsWithHatchdog(unit string) bool {
	for line := range strings.Lines(unit) {
		_, value, ok := strings.Cut(uncommented(line), "DOCKER_BUILDKIT_RUNC_COMMAND=")
		if ok && filepath.Base(strings.Trim(value, `"' `)) == "hatchdog" {
			return true
		}
	}
	return false
}

// uncommented is a line of a unit, empty where it is a comment.
func uncommented(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
		return ""
	}
	return line
}

// containerd asks the program, which knows its imports; where it is not there,
// the file alone.
func containerd(root string) (Engine, bool) {
	c, _ := engine.ConfigOf(engine.ContainerdName)
	e := Engine{Name: c.Name, Config: filepath.Join(root, c.File)}
	rancher := install.Engine{Name: e.Name, Root: root}.Rendered()
	if rancher != "" {
		e.Config = rancher
	}
	raw, err := config(e.Config)
	program := installed(root, c.Programs...)
	if raw == nil && err == nil && !program {
		return e, false
	}
	if path, lerr := exec.LookPath("containerd"); root == "/" && rancher == "" && lerr == nil {
		if dumped, derr := exec.Command(path, "config", "dump").Output(); derr == nil {
			raw, err = dumped, nil
		}
	}
	var s install.State
	if err == nil {
		s, err = install.ContainerdState(raw)
	}
	e.Known, e.Default, e.Annotations, e.NoCRI, e.Err = s.Known, s.Default, s.Annotations, s.NoCRI, err
	return e, true
}

func crio(root string) (Engine, bool) { return merged(root, engine.CRIOName) }

func podman(root string) (Engine, bool) { return merged(root, engine.PodmanName) }

// merged reads an engine whose drop-ins are in FILE.d: what hatchctl writes
// there, or an administrator in its words.
func merged(root, name string) (Engine, bool) {
	c, _ := engine.ConfigOf(name)
	e := Engine{Name: name, Config: filepath.Join(root, c.File), Annotations: true}
	if !installed(root, c.Programs...) {
		return e, false
	}
	dropIns, _ := filepath.Glob(e.Config + ".d/*.conf") // only a bad pattern is an error
	var files [][]byte
	for _, f := range append([]string{e.Config}, dropIns...) {
		raw, err := config(f)
		if err != nil {
			e.Err = err
			return e, true
		}
		files = append(files, raw)
	}
	s, err := install.MergedState(name, files...)
	e.Known, e.Default, e.Err = s.Known, s.Default, err
	return e, true
}
