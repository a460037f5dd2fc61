package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// ErrGone means that nothing holds the network namespace any more.
var ErrGone = errors.New("the network namespace is gone")

// ID is the identity of a namespace that was opened.
func ID(fd int) (host.FileID, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return host.FileID{Dev: st.Dev, Ino: st.Ino}, err
}

// Reopen opens a namespace that an engine keeps under some name, as all do that
// wire a container, when its processes may be gone.
func Reopen(id host.FileID) (int, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return -1, err
	}
	defer f.Close()
	root := fmt.Sprintf("net:[%d]", id.Ino)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// ID PARENT DEV ROOT MOUNTPOINT ... (proc_pid_mountinfo(5))
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && fields[3] == root {
			if fd, err := Open(fields[4], id); err == nil {
				return fd, nil
			}
		}
	}
	return -1, ErrGone
}

// Close gives a namespace back.
func Close(fd int) { _ = unix.Close(fd) }

// FD is the namespace that was installed in.
func (in *Installed) FD() int { return in.fd }
