package run

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoWay means that there is no way out for a box.
var ErrNoWay = errors.New("--allow needs slirp4netns (apt-get install slirp4netns), which carries a box's packets without touching the host's network")

// tun is what makes the interface in the box (the kernel's networking/tuntap.rst).
const tun = "/dev/net/tun"

// wayOut is the process that carries a box's packets, from its network namespace to
// sockets of its own on the host. The rules in the namespace, which are there
// before the command, decide what may be reached.
type wayOut struct {
	cmd  *exec.Cmd
	stop *os.File
}

// CanTun says why no interface can be made.
func CanTun() error {
	if err := unix.Access(tun, unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("%s: %w", tun, err)
	}
	return nil
}

// connect gives the network namespace of pid a way out, and waits until it is
// there.
func connect(pid int) (*wayOut, error) {
	path, err := exec.LookPath("slirp4netns")
	if err != nil {
		return nil, ErrNoWay
	}
	if err := CanTun(); err != nil {
		return nil, fmt.Errorf("--allow: %w; it is for all users where udev made it (as root: chmod 0666 %s)", err, tun)
	}
	ready, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	until, stop, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, tell.Close())
	}
	// The host's own addresses stay closed; DNS of its own is closed by the rules.
	cmd := exec.Command(path, "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox", "--enable-seccomp",
		"--ready-fd=3", "--exit-fd=4", "--netns-type=path", fmt.Sprintf("/proc/%d/ns/net", pid), "tap0")
	cmd.ExtraFiles = []*os.File{tell, until}
	// It detaches what it sees mounted, as its own sandbox. Where a mount of the
	// host is shared, all below it would go from the host as well: it gets a mount
	// namespace from which nothing spreads (os/exec makes all of it private).
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, tell.Close(), until.Close(), stop.Close())
	}
	tell.Close()
	until.Close()
	unix.CloseOnExec(int(stop.Fd()))
	w := &wayOut{cmd, stop}
	if err := ready.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if n, err := ready.Read(make([]byte, 1)); n != 1 {
		return nil, errors.Join(fmt.Errorf("slirp4netns did not come up: %w", err), w.close())
	}
	return w, nil
}

func (w *wayOut) close() error {
	if w == nil {
		return nil
	}
	err := w.stop.Close()
	ended := make(chan struct{})
	go func() {
		_ = w.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(2 * time.Second):
		_ = w.cmd.Process.Kill()
		<-ended
	}
	return err
}
