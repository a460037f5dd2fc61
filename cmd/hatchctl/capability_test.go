package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The numbers are the kernel's.
func TestCapabilityNames(t *testing.T) {
	for name, want := range map[string]int{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_CHECKPOINT_RESTORE": unix.CAP_CHECKPOINT_RESTORE,
	} {
		if n, ok := capabilityNumber(name); !ok || n != want || capabilityName(want) != name {
			t.Errorf("%s: %d %v, and %d is %s", name, n, ok, want, capabilityName(want))
		}
	}
	if _, ok := capabilityNumber("CAP_NONE"); ok || capabilityName(99) != "capability 99" || capabilityName(-1) != "capability -1" {
		t.Error("a capability that is not there has a name")
	}
}
