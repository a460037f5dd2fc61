package install

import (
	"os/exec"
	"regexp"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// versionWord is the number in "Docker version 20.10.24, build 5d6db84" and in
// "containerd github.com/containerd/containerd/v2 v2.4.2".
var versionWord = regexp.MustCompile(`\sv?([0-9]+\.[0-9][^\s,]*)`)

// VersionOf is what an engine's program says of itself, "" where that is nothing:
// another root's may be of another release.
func VersionOf(c engine.Config, p Place) string {
	if p.Version != "" || p.Root != "/" {
		return p.Version
	}
	out, err := exec.Command(c.Programs[0], "--version").Output()
	if err != nil {
		return ""
	}
	if m := versionWord.FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return ""
}
