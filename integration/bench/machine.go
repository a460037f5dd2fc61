package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// load is the load average over a minute.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(text), " ")
	return one
}

// printMachine prints where and when this was measured, with which programs, and
// what else the machine did: before is the load average at the beginning.
func (b *bench) printMachine(w io.Writer, before string) {
	var name unix.Utsname
	_ = unix.Uname(&name)
	model := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	fmt.Fprintf(w, "%s, %d CPUs (%s), Linux %s, %s; load average %s at the beginning.\n",
		time.Now().UTC().Format("2 January 2006"), runtime.NumCPU(), model, unix.ByteSliceToString(name.Release[:]), runtime.Version(), before)
	var versions []string
	for _, program := range []string{b.runc, b.peers.runsc, b.peers.crun, b.peers.podman} {
		if program == "" {
			continue
		}
		said, _ := exec.Command(program, "--version").Output()
		first, _, _ := strings.Cut(string(said), "\n")
		versions = append(versions, first)
	}
	fmt.Fprintf(w, "%s.\n\n", strings.Join(versions, ", "))
}
