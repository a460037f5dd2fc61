package install

import (
	"context"
	"os/exec"
	"regexp"
	"time"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// versionWord is the number in "Docker version 20.10.24, build 5d6db84" and in
// "containerd github.com/containerd/containerd/v2 v2.4.2".
var versionWord = regexp.MustCompile(`\sv?([0-9]+\.[0-9][^\s,]*)`)

// VersionOf is what an engine's program says of itself, "" where that is nothing:
// another root's may be of another release. A program that does not answer says nothing.
func VersionOf(c engine.Config, p Place) string {
	if p.Version != "" || p.Root != "/" {
		return p.Version
	}
	const patience = 5 * time.Second
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	cmd := exec.CommandContext(ctx, c.Programs[0], "--version")
	cmd.WaitDelay = patience // what it started may hold its output
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	if m := versionWord.FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return ""
}
