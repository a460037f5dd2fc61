// Command vm runs the integration tests in a virtual machine that has what this
// host may lack: AppArmor and control groups of version 2.
//
// One boot for each tier. The guest's root file system comes from image/, what
// changes from run to run (the test binary, hatchdog, runc) is on a second disk.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	run := flag.String("run", "", "run only the tests that match, as go test -run does")
	tier := flag.String("tier", "", "boot only this tier: "+names())
	loops := flag.Int("loops", 1, "run everything so many times")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if err := lane(ctx, *run, *tier, *loops); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

// lane runs the chosen tiers.
func lane(ctx context.Context, run, tier string, loops int) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("the guest's image is for amd64, this host is %s", runtime.GOARCH)
	}
	chosen, err := choose(run, tier)
	if err != nil {
		return err
	}
	cache := os.Getenv("HATCHDOG_CACHE")
	if cache == "" {
		return errors.New("HATCHDOG_CACHE is not set: use 'make test-vm' or integration/vm/run.sh")
	}
	work, err := os.MkdirTemp("", "hatchdog-vm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a folder of /tmp
	return all(ctx, chosen, cache, work, loops)
}

// all makes what the boots need and boots each tier, loops times.
func all(ctx context.Context, chosen []tierOf, cache, work string, loops int) error {
	images := map[string]string{}
	for _, t := range chosen {
		if images[t.debian] != "" {
			continue
		}
		image, err := buildImage(cache, t.debian)
		if err != nil {
			return err
		}
		images[t.debian] = image
	}
	payload, err := collect(cache, filepath.Join(work, "payload"))
	if err != nil {
		return err
	}
	m := machine{image: images[chosen[0].debian], work: work, lock: filepath.Join(cache, "vm.lock")}
	if m.accel, err = accelerator(ctx, m, payload, cache); err != nil {
		return err
	}
	var failed error
	boots, retries, began := 0, 0, time.Now()
	for loop := range loops {
		if loops > 1 {
			fmt.Printf("vm: loop %d of %d\n", loop+1, loops)
		}
		for _, t := range chosen {
			m.image, m.lsm = images[t.debian], t.lsm
			again, err := boot(ctx, m, payload, t)
			boots, retries = boots+1, retries+again
			failed = errors.Join(failed, err)
			if ctx.Err() != nil {
				return failed
			}
		}
	}
	fmt.Printf("vm: %d boots under %s in %s, %d retries\n", boots, m.accel, time.Since(began).Round(time.Second), retries)
	return failed
}

// lock lets one machine at a time run for each cache: two would be slower than
// one after the other, and run into their time-outs.
func lock(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if !told {
			fmt.Println("vm: another one runs, waiting for it")
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("%s: %w", path, ctx.Err())
		case <-time.After(time.Second):
		}
	}
}
