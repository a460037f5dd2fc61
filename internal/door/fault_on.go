//go:build hatchdog_fault

package door

import (
	"errors"
	"os"
	"syscall"
)

var errFault = errors.New("injected fault")

// step fails or kills this process at the step that HATCHDOG_FAULT names, as
// in "record=error" or "written=kill". It is compiled for fault injection
// only.
func step(name string) error {
	switch os.Getenv("HATCHDOG_FAULT") {
	case name + "=error":
		return errFault
	case name + "=kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}
