package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// beginFiles watches files of the host that no container has to do with: hatchdog's
// programs, its policy, the engines' settings. Those of each container come with it.
func (w *watcher) beginFiles(policyFiles []string) {
	f, err := watch.Writes()
	if err != nil {
		w.off = append(w.off, "files: "+err.Error())
		return
	}
	w.files = f
	if own, err := os.Executable(); err == nil {
		for _, name := range []string{"hatchdog", "hatchctl", "containerd-shim-hatchdog-v1"} {
			w.addFile(filepath.Join(filepath.Dir(own), name))
		}
	}
	for _, path := range append([]string{"/etc/hatchdog", "/etc/docker", "/etc/containerd", "/etc/crio", "/etc/cni/net.d"}, policyFiles...) {
		w.addFile(path)
	}
	go f.Read(func(one watch.Written) { w.written <- one })
}

func (w *watcher) addFile(path string) {
	if w.files == nil || path == "" {
		return
	}
	if err := w.files.Add(path); err != nil {
		fmt.Fprintln(w.errs, "hatchctl: writes to", harmless(path), "are not told of:", err)
	}
}

// addFiles watches what is kept of a container: its record, its bundle, the state of
// its low-level runtime, and the runtime itself.
func (w *watcher) addFiles(c *watched) {
	d := c.Entry.Record.Decision
	for _, path := range []string{w.o.store().Dir(d.Root, d.ID), filepath.Join(d.Root, d.ID), d.Bundle, d.Runtime.Path} {
		w.addFile(path)
	}
}
