package inside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// readLog is the multicast group of the kernel's audit (uapi/linux/audit.h,
// AUDIT_NLGRP_READLOG).
const readLog = 1

// Listen calls f with each denial that the kernel tells to whoever listens, until
// the context is done. ready is called when it listens.
func Listen(ctx context.Context, ready func(), f func(Denial)) error {
	c, err := netlink.Dial(unix.NETLINK_AUDIT, &netlink.Config{Groups: readLog})
	if err != nil {
		return fmt.Errorf("the kernel's audit: %w", err)
	}
	defer func() { _ = c.Close() }()
	ready()
	for ctx.Err() == nil {
		const step = 100 * time.Millisecond
		if err := c.SetReadDeadline(time.Now().Add(step)); err != nil {
			return fmt.Errorf("the kernel's audit: %w", err)
		}
		all, err := c.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			return fmt.Errorf("the kernel's audit: %w", err)
		}
		for _, m := range all {
			if d, ok := parseDenial(fmt.Sprintf("type=%d %s", m.Header.Type, m.Data)); ok {
				f(d)
			}
		}
	}
	return nil
}
