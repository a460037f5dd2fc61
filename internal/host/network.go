package host

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Apart runs f on a thread of its own that ends with it: should f leave it in
// another namespace, nothing else runs there.
func Apart(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good
		done <- f()
	}()
	return <-done
}

// InNetwork runs f in the network namespace of a descriptor, on a thread apart.
func InNetwork(fd int, f func() error) error {
	return Apart(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("network namespace: %w", err)
		}
		return f()
	})
}
