package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// docker is dockerd, and the builds that it runs.
type docker struct{}

var _ Engine = docker{}

// Where systemd reads drop-ins of Docker's unit.
const units = "etc/systemd/system/docker.service.d"

func (docker) Config() engine.Config { return configOf(engine.DockerName) }
func (docker) Restart(Place) string {
	return "systemctl daemon-reload && systemctl restart docker"
}
func (docker) Alive(Place) string { return "docker version" }

func (d docker) Targets(p Place) ([]Target, error) {
	all := []Target{{p.edited(d.Config()), Docker{}}}
	if p.Config == "" && isDir(filepath.Join(p.Root, "etc/systemd/system")) {
		all = append(all, Target{filepath.Join(p.Root, units, "hatchdog.conf"), BuildKit()})
	}
	return all, nil
}

func (d docker) Find(p Place) (Found, bool) {
	f := Found{Config: filepath.Join(p.Root, d.Config().File)}
	raw, err := look(f.Config)
	if raw == nil && err == nil && !p.has(d.Config()) {
		return f, false
	}
	if err == nil {
		f.State, err = DockerState(raw)
	}
	f.Err = err
	all, _ := filepath.Glob(filepath.Join(p.Root, units, "*.conf")) // only a bad pattern is an error
	for _, unit := range all {
		text, err := os.ReadFile(unit)
		f.BuildKit = f.BuildKit || err == nil && buildsWithHatchdog(string(text))
	}
	return f, true
}

func (docker) Validate(p Place, _ *Options) error {
	if p.Root != "/" {
		return nil
	}
	help, err := exec.Command("dockerd", "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(help), "--validate") {
		return nil
	}
	args := []string{"dockerd", "--validate"}
	if p.Config != "" {
		args = append(args, "--config-file", p.Config)
	}
	_, err = ask(args...)
	return err
}

func buildsWithHatchdog(unit string) bool {
	for line := range strings.Lines(unit) {
		_, value, ok := strings.Cut(uncommented(line), "DOCKER_BUILDKIT_RUNC_COMMAND=")
		if ok && ours(strings.Trim(value, `"' `)) {
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
