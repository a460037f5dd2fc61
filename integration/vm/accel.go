package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How long a trial under KVM may take. A boot takes some seconds where it works;
// where it does not, it may hang or crawl.
const trialLimit = 30 * time.Second

// accelerator chooses KVM if a guest boots under it in good time, else
// emulation. HATCHDOG_VM_ACCEL=kvm|tcg overrides.
func accelerator(ctx context.Context, m machine, p payload, cache string) (string, error) {
	switch asked := os.Getenv("HATCHDOG_VM_ACCEL"); asked {
	case "kvm", "tcg":
		return asked, nil
	case "", "auto":
	default:
		return "", fmt.Errorf("HATCHDOG_VM_ACCEL is %q: kvm, tcg or auto", asked)
	}
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		fmt.Println("vm: no /dev/kvm, emulating")
		return "tcg", nil
	}
	f.Close()
	return tried(ctx, m, p, cache)
}

// tried is the verdict of a trial boot, which holds until the host reboots.
func tried(ctx context.Context, m machine, p payload, cache string) (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	memo := filepath.Join(cache, "vm-accel")
	if data, err := os.ReadFile(memo); err == nil {
		if boot, accel, ok := strings.Cut(strings.TrimSpace(string(data)), " "); ok && boot == strings.TrimSpace(string(id)) {
			return accel, nil
		}
	}
	disk, err := p.disk(m.file("payload.img"), tierOf{name: "trial"})
	if err != nil {
		return "", err
	}
	m.accel = "kvm"
	r, err := m.run(ctx, disk, trialLimit, trialLimit, func(string) {})
	if err != nil {
		return "", err
	}
	accel := "kvm"
	if r.code == 0 {
		fmt.Printf("vm: KVM works: a trial boot took %s\n", r.took.Round(100*time.Millisecond))
	} else {
		accel = "tcg"
		fmt.Printf("vm: KVM does not work here (%s), emulating\n", r.why)
	}
	return accel, os.WriteFile(memo, []byte(strings.TrimSpace(string(id))+" "+accel+"\n"), 0o600)
}
