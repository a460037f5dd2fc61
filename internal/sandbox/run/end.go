package run

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
)

// grace is how long a command may take to end when it is asked to.
const grace = 5 * time.Second

// end takes all away. It is done whatever came before.
func (b *box) end() error {
	var errs []error
	if b.streams != nil {
		errs = append(errs, b.streams.close())
	}
	if b.line != nil {
		b.line.Close()
	}
	if b.pidfd >= 0 {
		_ = unix.PidfdSendSignal(b.pidfd, unix.SIGKILL, nil, 0)
		_ = unix.Close(b.pidfd)
	}
	errs = append(errs, b.way.close(), b.watch.close())
	if b.net >= 0 {
		firewall.Close(b.net)
	}
	if b.created {
		errs = append(errs, b.delete())
	}
	errs = append(errs, dropAll(b.standins))
	if b.place != nil {
		errs = append(errs, b.place.remove())
	}
	return errors.Join(errs...)
}

// delete takes the container away. With --force a low-level runtime waits for what it
// kills, runc 100 ms at least (its delete.go): nothing has to be killed where the first
// process has ended.
func (b *box) delete() error {
	if b.over && b.call("delete", b.Box.ID).Run() == nil {
		return nil
	}
	var said bytes.Buffer
	cmd := b.call("delete", "--force", b.Box.ID)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hatchdog delete: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return nil
}

// forget takes away what a run left whose process was killed.
func forget(r *Request, p *place) {
	gone := *r
	gone.Box.ID = filepath.Base(p.dir)
	b := &box{Request: &gone, place: p}
	if err := b.delete(); err != nil {
		if _, there := os.Lstat(filepath.Join(r.Places.Runtime, gone.Box.ID)); there == nil {
			_ = p.lock.Close() // the next run may
			return
		}
	}
	_ = dropListed(p)
	_ = p.remove()
}
