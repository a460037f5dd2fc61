package prevent

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The watch (hatchctl watch) listens at a socket in the state directory for those that
// it is to hold. One packet asks, one answers.
const (
	WatchSocket = "@hold" // no container's id holds an @
	AskStatus   = "status"
	AskHold     = "hold " // then the root of the low-level runtime, a zero byte, the id
	Separator   = "\x00"
	Done        = "held"   // the answer; else it is what went wrong
	Packet      = 16 << 10 // bytes, at most
)

// watchPatience is how long a watch may take to answer that is there and hangs.
const watchPatience = 2 * time.Second

// Watched reports whether a watch runs that holds containers.
func Watched(base string) bool {
	_, err := WatchHolds(base)
	return err == nil
}

// WatchHolds is how many containers the watch holds.
func WatchHolds(base string) (int, error) {
	said, err := ask(base, AskStatus)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(said)
}

// AskWatch has the watch hold a container. It is nil where it does from now on.
func AskWatch(base, root, id string) error {
	said, err := ask(base, AskHold+root+Separator+id)
	if err == nil && said != Done {
		err = errors.New(said)
	}
	return err
}

func ask(base, packet string) (string, error) {
	dir, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("hatchctl watch: %w", err)
	}
	defer unix.Close(dir)
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("hatchctl watch: %w", err)
	}
	defer unix.Close(s)
	patience := unix.NsecToTimeval(watchPatience.Nanoseconds())
	for _, option := range []int{unix.SO_SNDTIMEO, unix.SO_RCVTIMEO} {
		if err := unix.SetsockoptTimeval(s, unix.SOL_SOCKET, option, &patience); err != nil {
			return "", fmt.Errorf("hatchctl watch: %w", err)
		}
	}
	// The state directory's path may be longer than a socket's.
	at := &unix.SockaddrUnix{Name: filepath.Join("/proc/self/fd", strconv.Itoa(dir), WatchSocket)}
	answer := make([]byte, Packet)
	var n int
	if err = unix.Connect(s, at); err == nil {
		if _, err = unix.Write(s, []byte(packet)); err == nil {
			n, err = unix.Read(s, answer)
		}
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
		return "", errNoWatch
	case err == nil && n == 0:
		err = unix.ECONNRESET
	case errors.Is(err, unix.EAGAIN):
		err = fmt.Errorf("it does not answer within %s", watchPatience)
	}
	if err != nil {
		return "", fmt.Errorf("hatchctl watch: %w", err)
	}
	return strings.ToValidUTF8(string(answer[:n]), "?"), nil
}

var errNoWatch = errors.New("hatchctl watch does not run")
