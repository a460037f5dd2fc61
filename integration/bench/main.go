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
	lives          int // containers of the crowd
	rows           []row
	phases         []phase
	floorProgram   string   // a Go program that only execs
	floor          float64  // ms that a Go program takes which only execs
	crowded        bool     // starts follow one another without a pause
	busy           bool     // what is measured is processor time, and not the time that passes
	before         string   // another build of hatchdog
	installed      []string // folders of copies of programs
	engine         engine
	peers          peers
	watching       watching
	onlyWatch      bool
	onlyLearn      bool
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
	var e engine
	flag.StringVar(&e.daemon, "containerd", "", "a containerd 2, with ctr beside it; without one the rows of the shims are left out")
	flag.StringVar(&e.stock, "stock-shim", "", "containerd's own shim, containerd-shim-runc-v2, of the line that ours is made from")
	flag.StringVar(&e.own, "shim", "bin/containerd-shim-hatchdog-v1", "our shim, with hatchdog beside it")
	lives := flag.Int("crowd", 1000, "beside how many containers that live")
	var p peers
	flag.StringVar(&p.runsc, "runsc", "", "gVisor's runsc; where this, crun or Podman is given, only they are measured")
	flag.StringVar(&p.crun, "crun", "", "crun")
	flag.StringVar(&p.podman, "podman", "", "Podman")
	var w watching
	flag.StringVar(&w.hatchctl, "hatchctl", "", "hatchctl; without it the rows of the watch are left out")
	flag.StringVar(&w.servers, "servers", "", "the archive of a root file system with nginx and redis")
	onlyWatch := flag.Bool("only-watch", false, "measure the watch, and nothing else")
	onlyLearn := flag.Bool("only-learn", false, "measure what learn costs, and nothing else")
	starts := flag.Int("starts", 100, "how many containers are started two at a time")
	before := flag.String("before", "", "another build of hatchdog; where it is given, only the two are compared, in processor time")
	flag.Parse()
	exitOn(measure(&bench{before: *before, hatchdog: *hatchdog, runc: *runc, rounds: *rounds, starts: *starts, lives: *lives, engine: e, peers: p, watching: w, onlyWatch: *onlyWatch, onlyLearn: *onlyLearn}, *specFile))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func measure(b *bench, specFile string) error {
	if os.Geteuid() != 0 {
		return errors.New("containers need root: run it as root")
	}
	if b.rounds < 1 || b.starts < 2*batches || b.lives < 1 {
		return fmt.Errorf("want a round and a container at least, and %d starts", 2*batches)
	}
	if err := enter(); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	programs := []*string{&b.hatchdog, &b.runc}
	for _, p := range []*string{&b.peers.runsc, &b.peers.crun, &b.peers.podman, &b.before} {
		if *p != "" {
			programs = append(programs, p)
		}
	}
	if b.watching.hatchctl != "" {
		programs = append(programs, &b.watching.hatchctl, &b.watching.servers)
	}
	if b.engine.daemon != "" {
		b.engine.client = filepath.Join(filepath.Dir(b.engine.daemon), "ctr")
		programs = append(programs, &b.engine.daemon, &b.engine.client, &b.engine.stock, &b.engine.own)
	}
	for _, program := range programs {
		var err error
		if *program, err = filepath.Abs(*program); err != nil {
			return err
		}
		if _, err := os.Stat(*program); err != nil {
			return err
		}
	}
	b.ctx = ctx
	before := load()
	defer b.cleanUp()
	if err := b.prepare(specFile); err != nil {
		return err
	}
	return b.tables(before)
}

// tables measures what was asked for, and prints it.
func (b *bench) tables(before string) error {
	if b.peers.any() {
		if err := b.measurePeers(); err != nil {
			return err
		}
		b.print(os.Stdout, "peer", "other runtimes and Podman", before)
		return nil
	}
	if b.before != "" {
		if err := b.compare(); err != nil {
			return err
		}
		b.print(os.Stdout, "before", "another build of it", before)
		return nil
	}
	for _, part := range b.parts() {
		if err := part(); err != nil {
			return err
		}
	}
	b.print(os.Stdout, "runc", "the low-level runtime called directly", before)
	b.printPhases(os.Stdout)
	return nil
}

// parts are what is measured, in this order.
func (b *bench) parts() []func() error {
	switch {
	case b.onlyWatch:
		return []func() error{b.buildInside, b.watched}
	case b.onlyLearn:
		return []func() error{b.buildInside, b.learning}
	}
	return []func() error{b.own, b.processor, b.lifecycle, b.runs, b.network, b.burst, b.loads, b.userns, b.crowd, b.callCosts, b.traffic, b.names, b.watched, b.learning, b.measurePhases, b.memory, b.sizes, b.engines}
}
