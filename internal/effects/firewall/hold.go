package firewall

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Target is a network namespace, and what is known of its container.
type Target struct {
	Path       string
	ID         host.FileID // what was found at Path before; the zero value is anything
	ResolvConf string      // "" where it has none
	Lock       string      // a file; whoever installs holds it
}

// Hold installs a profile's network rules in a namespace. It returns with all
// of them in the kernel, or with an error and none.
func Hold(t Target, rules *policy.NetworkRules) (*Installed, error) {
	unlock, err := lock(t.Lock)
	if err != nil {
		return nil, err
	}
	defer unlock()
	fd, err := Open(t.Path, t.ID)
	if err != nil {
		return nil, err
	}
	facts, err := Resolve(fd, t.ResolvConf)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	in, err := Install(Request{FD: fd, Egress: rules.EgressPolicies(), Ingress: rules.IngressPolicies(), Rate: rules.Rate.Egress, Facts: facts})
	if err != nil {
		_ = unix.Close(fd)
	}
	return in, err
}

// lock keeps two containers of one namespace from installing at once.
func lock(file string) (func(), error) {
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("firewall: lock %s: %w", file, err)
	}
	for {
		err = unix.Flock(fd, unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("firewall: lock: %w", err)
	}
	return func() { _ = unix.Close(fd) }, nil
}
