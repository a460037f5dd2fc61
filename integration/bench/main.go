// Command bench measures hatchdog against the low-level runtime called
// directly: on the same machine, in the same run, alternating, with the spec
// that Docker writes. It prints the budget beside each figure, and fails only
// where something could not be measured.
//
// Everything it makes is in a mount namespace of its own, on a tmpfs, as the
// bundles and records of an engine are.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"
)

type bench struct {
	ctx            context.Context
	dir            string // the tmpfs
	runc, hatchdog string
	rounds, starts int
	rows           []row
}

func main() {
	if len(os.Args) > 3 && os.Args[1] == peak {
		exitOn(writePeak(os.Args[2], os.Args[3], os.Args[4:]...))
		return
	}
	hatchdog := flag.String("hatchdog", "bin/hatchdog", "hatchdog")
	runc := flag.String("runc", "runc", "the low-level runtime, as an absolute path")
	specFile := flag.String("spec", "integration/testdata/specs/docker-default.json", "the spec that Docker writes")
	rounds := flag.Int("rounds", 30, "how often each call is measured")
	starts := flag.Int("starts", 100, "how many containers are started two at a time")
	flag.Parse()
	exitOn(measure(*hatchdog, *runc, *specFile, *rounds, *starts))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(hatchdog, runc, specFile string, rounds, starts int) error {
	if os.Geteuid() != 0 {
		return errors.New("containers need root: run it as root")
	}
	if rounds < 1 || starts < 2*batches {
		return fmt.Errorf("want a round at least, and %d starts", 2*batches)
	}
	if err := enter(); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	for _, program := range []*string{&hatchdog, &runc} {
		var err error
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
		if _, err := os.Stat(*program); err != nil {
			return err
		}
	}
	b := &bench{ctx: ctx, runc: runc, hatchdog: hatchdog, rounds: rounds, starts: starts}
	defer b.cleanUp()
	if err := b.prepare(specFile); err != nil {
		return err
	}
	for _, part := range []func() error{b.lifecycle, b.runs, b.network, b.burst, b.own, b.userns, b.memory, b.sizes} {
		if err := part(); err != nil {
			return err
		}
	}
	b.print(os.Stdout)
	return nil
}
