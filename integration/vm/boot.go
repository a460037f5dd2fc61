package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// How long a guest may take to say that it is up, and how often it may be
// booted anew when it does not.
const (
	upLimit = 4 * time.Minute
	tries   = 3
)

// boot runs a tier to its end. It is booted again only when it never came up,
// which is the emulator's doing and not the tests'.
func boot(ctx context.Context, m machine, p payload, t tierOf) (retries int, err error) {
	disk, err := p.disk(m.file("payload.img"), t)
	if err != nil {
		return 0, err
	}
	for {
		fmt.Printf("vm: %s: booting under %s\n", t.name, m.accel)
		r, err := m.run(ctx, disk, upLimit, t.limit+upLimit, show)
		if err != nil {
			return retries, err
		}
		if r.up || retries+1 == tries || ctx.Err() != nil {
			return retries, verdict(m, t, r)
		}
		retries++
		fmt.Printf("vm: %s: %s; boot %d of %d\n", t.name, r.why, retries+1, tries)
	}
}

// show prints what one wants to see while the tests run.
func show(line string) {
	if !strings.HasPrefix(line, "=== ") {
		fmt.Println("  " + line)
	}
}

// verdict turns the end of a boot into an error, with what helps to see why.
func verdict(m machine, t tierOf, r result) error {
	fmt.Printf("vm: %s: %s\n", t.name, r.took.Round(time.Second))
	switch {
	case r.code == 0:
		return nil
	case r.code > 0:
		return fmt.Errorf("%s: the tests failed with exit code %d", t.name, r.code)
	}
	console, err := os.ReadFile(m.file("console"))
	if err != nil {
		return fmt.Errorf("%s: %s; no console: %w", t.name, r.why, err)
	}
	lines := strings.Split(strings.TrimSpace(string(console)), "\n")
	fmt.Println("vm: the guest's console, last lines:")
	for _, l := range lines[max(0, len(lines)-40):] {
		fmt.Println("  " + strings.TrimRight(l, "\r"))
	}
	return fmt.Errorf("%s: %s", t.name, r.why)
}
