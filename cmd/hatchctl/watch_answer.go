package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/freeze"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/watch"
)

func (c *watched) freeze() error {
	f, err := freeze.Of(c.Given.Cgroups)
	if err != nil {
		return err
	}
	return f.Freeze()
}

func (c *watched) kill() error { return freeze.Kill(c.Given.Cgroups) }

// patience is how long an answer may take that asks the kernel by netlink: the watch
// of all others goes on.
const patience = 5 * time.Second

var errLate = fmt.Errorf("it is not done after %s", patience)

func (c *watched) isolate() error {
	done := make(chan error, 1)
	go func(c *watch.Container) { done <- isolate(c) }(c.Container)
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errLate
	}
}

func isolate(c *watch.Container) error {
	if !c.Init.Alive() {
		return errNotRunning
	}
	fd, err := firewall.Open(fmt.Sprintf("/proc/%d/ns/net", c.Init.Pid), host.FileID{})
	if errors.Is(err, firewall.ErrHost) {
		return errHostNetwork
	}
	if err != nil {
		return err
	}
	defer firewall.Close(fd)
	if !c.Init.Alive() {
		return errNotRunning
	}
	facts, err := firewall.Resolve(fd, "")
	if err != nil {
		return err
	}
	return firewall.Isolate(fd, nil, facts)
}

// capturesMost is how many captures are kept: a container cannot fill the disk.
const capturesMost = 64

var errCaptures = fmt.Errorf("%d captures are there: take them away first", capturesMost)

// capture keeps what the container looks like, beside what else is watched unless
// it is waited for. Its alert is told again with the file.
func (w *watcher) capture(c *watched, f watch.Finding, at time.Time, wait bool) {
	d := c.Entry.Record.Decision
	a := watch.Alert{Event: "alert", ID: d.ID, Root: d.Root, Mode: d.Mode, Profile: d.Profile, Container: watch.Names(d.Workload), Finding: f, Count: 1}
	do := func() {
		file, sum, err := w.o.captureTo(filepath.Join(filepath.Dir(w.audit.Path), "captures"), d.ID)
		result := fmt.Sprintf("%s, SHA-256 %s", file, sum)
		if err != nil {
			result = "it failed: " + err.Error()
		}
		late := lateAnswer{a, watch.Answer{Answer: policy.AnswerCapture, Result: result, After: float64(time.Since(at).Microseconds()) / 1000}}
		go func() { w.done <- late }() // it may be full of others
	}
	if wait {
		do()
	} else {
		go do()
	}
}

func (o *options) captureTo(dir, id string) (file, sum string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	have, err := os.ReadDir(dir)
	if err != nil {
		return "", "", err
	}
	if len(have) >= capturesMost {
		return "", "", errCaptures
	}
	s, err := o.subject(id, whyOptions{})
	if err != nil {
		return "", "", err
	}
	defer s.close()
	if s.c.Process == nil {
		return "", "", errNotRunning
	}
	now := time.Now().UTC()
	file = filepath.Join(dir, fmt.Sprintf("%s-%s.tar", shortID(id), now.Format("20060102T150405.000Z")))
	sum, err = s.capture(file, now, false)
	return file, sum, err
}

// mark is a file that says when the watch was there the last time. Its lock is held
// by the watch.
type mark struct {
	file *os.File
	last time.Time // the zero value: never before
}

// markName is no directory: it is no record.
const markName = "@watch"

func (o *options) openMark() (*mark, error) {
	base := o.store().Base
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(base, markName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errWatched
		}
		return nil, err
	}
	m := &mark{file: f}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		m.last = info.ModTime()
	}
	m.touch()
	return m, nil
}

func (m *mark) touch() {
	_, _ = m.file.WriteAt([]byte("watched\n"), 0) // its time is what counts
}

func (m *mark) close() { _ = m.file.Close() }
