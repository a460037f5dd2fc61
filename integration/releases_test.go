package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// An engine that is older or newer than those that hatchdog was tried with is told
// of it all the same, and who installs reads in one line which those are.
func TestInstallOtherReleases(t *testing.T) {
	for _, c := range []struct{ engine, program, says, real, config, line string }{
		{"docker", "dockerd", "Docker version 19.03.15, build x", "", "{}\n", "docker 19.03.15 is older than the releases that hatchdog was tried with, 20.10 to 29: it is told"},
		{"docker", "dockerd", "Docker version 31.0.1, build x", "", "{}\n", "docker 31.0.1 is newer than the releases"},
		{"docker", "dockerd", "Docker version 28.1.0, build x", "", "{}\n", ""},
		{"containerd", "containerd", "containerd github.com/containerd/containerd v1.5.9 x", "/usr/bin/containerd", "version = 2\n", "containerd 1.5.9 is older"},
		{"containerd", "containerd", "containerd github.com/containerd/containerd/v3 v3.0.0 x", cached(t, "containerd-v*/containerd"), installConfig, "containerd 3.0.0 is newer"},
		{"podman", "podman", "podman version 3.4.4", "", "", "podman 3.4.4 is older than the releases that hatchdog was tried with, 4.3 to 5.8"},
		{"podman", "podman", "podman version 6.0.0-dev", "", "", "podman 6.0.0-dev is newer"},
		{"crio", "crio", "crio version 1.20.0", "", "", "crio 1.20.0 is older than the release that hatchdog was tried with, 1.35"},
	} {
		dir := t.TempDir()
		program := fmt.Sprintf("#!/bin/sh\ncase $1 in --version) echo '%s';; *) %s;; esac\n", c.says, strings.TrimSpace("exec "+c.real+` "$@"`))
		if c.real == "" {
			program = fmt.Sprintf("#!/bin/sh\necho '%s'\n", c.says)
		}
		must(t, os.WriteFile(dir+"/"+c.program, []byte(program), 0o755))
		if c.config != "" { // the others have a folder of files
			must(t, os.WriteFile(dir+"/config", []byte(strings.ReplaceAll(c.config, "%[1]s", dir)), 0o644))
		}
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		out, code := run(t, tested.hatchctl, "install", c.engine, "--config", dir+"/config", "--binary", tested.hatchdog)
		if code != 0 || !strings.Contains(out, "written") || c.line == "" && strings.Contains(out, "tried with") {
			t.Errorf("%s: %d %s", c.says, code, out)
		}
		wantLines(t, out, c.line)
		if !strings.Contains(read(t, dir+"/config"), tested.hatchdog) {
			t.Errorf("%s: it is not told of hatchdog", c.says)
		}
	}
}
