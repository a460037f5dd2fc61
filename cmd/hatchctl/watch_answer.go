package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/freeze"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// onGroup does something to the control group of the start that an event is of, and of
// no later one.
func onGroup(c *watch.Container, do func(dirs map[string]string) error) error {
	dirs, release, err := freeze.Pin(c.Given.Cgroups, c.Group)
	if err != nil {
		return err
	}
	defer release()
	return do(dirs)
}

func freezeAll(c *watch.Container) error {
	return onGroup(c, func(dirs map[string]string) error {
		f, err := freeze.Of(dirs)
		if err != nil {
			return err
		}
		return f.Freeze()
	})
}

func killAll(c *watch.Container) error { return onGroup(c, freeze.Kill) }

// patience is how long an answer may take that asks the kernel by netlink: those behind
// it wait.
const patience = 5 * time.Second

var errLate = fmt.Errorf("it is not done after %s", patience)

func isolateInTime(c *watch.Container) error {
	done := make(chan error, 1)
	go func() { done <- isolate(c) }()
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

func (o *options) captureTo(dir, id string, init lowlevel.Init) (file, sum string, err error) {
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
	if s.c.Process == nil || !init.Alive() {
		return "", "", errNotRunning
	}
	now := time.Now().UTC()
	file = filepath.Join(dir, fmt.Sprintf("%s-%s.tar", shortID(id), now.Format("20060102T150405.000Z")))
	sum, err = s.capture(file, now, false)
	return file, sum, err
}
