package watch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/probe"
)

func TestScriptThatIsNotThere(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	short := filepath.Join(filepath.Dir(long), "x.sh")
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(short, []byte("#!/bin/sh\n"), 0o600))
	for _, c := range []struct {
		name, path string
		mount      uint32
		want       Severity
	}{
		{"removed itself", "/nowhere/x.sh", 11, High},
		{"in memory alone", "/dev/fd/9999", 11, High},
		{"a file", short, 11, ""},
		{"a relative name of a process that is gone", "x.sh", 11, ""},
		{"in a mount namespace of its own", "/nowhere/x.sh", 12, ""},
		{"a name of which the end is not known", long[:pathKept], 11, Medium},
	} {
		c0, s := container(), executed(probe.File{Name: "sh", Magic: magicOverlay, MountID: 100, Links: 1})
		c0.Init = lowlevel.Init{Pid: os.Getpid()}
		if c.want == "" { // what is there is of the image
			c0.Began = began.AddDate(1000, 0, 0)
			if at, err := placeOf(filepath.Dir(long)); err == nil {
				c0.Root.Dev, s.RootDev = at.Dev, at.Dev
			}
		}
		s.Script, s.Path, s.Mount, s.Pid = true, c.path, c.mount, 1<<22+1
		all := c0.Exec(s, ours)
		if c.want == "" && len(all) > 0 || c.want != "" && (len(all) != 1 || all[0].Kind != Drift || all[0].Severity != c.want) {
			t.Errorf("%s: %+v", c.name, all)
		}
	}
}

func TestWriterWhoseNumberIsAnothers(t *testing.T) {
	s, _ := readStatus(os.Getpid())
	for started, want := range map[uint64]bool{s.started: true, s.started + 1: false, 0: false} {
		if got := (Written{Pid: os.Getpid(), started: started}).There(); got != want {
			t.Errorf("started %d: there is %v", started, got)
		}
	}
}
