package integration

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dialAs connects to a socket as a user, and says whether the far end keeps the
// connection.
func dialAs(socket string, uid int) error {
	said := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread, which is another user's, ends
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			said <- errno
			return
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: socket})
		}
		if err != nil {
			said <- err
			return
		}
		file := os.NewFile(uintptr(fd), socket)
		defer file.Close()
		conn, err := net.FileConn(file)
		if err != nil {
			said <- err
			return
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil // it waits for a request
		}
		said <- err
	}()
	return <-said
}

// Nobody but root reaches the shim: not by its socket's mode, not by the mode of the
// folder, and where both are opened, the shim hangs up. The bundle, by whose files
// the shim knows its runtime, is root's; one that somebody made before is not taken.
func TestShimsSocketAndBundle(t *testing.T) {
	s := startShimmed(t, "socket", cached(t, "containerd-v*/containerd"))
	if out, code := s.start(t, "-d", criImage, "sock1", "sleep", "600"); code != 0 {
		t.Fatal(out)
	}
	found, err := filepath.Glob(s.dir + "/state/io.containerd.runtime.v2.task/default/sock1")
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("bundles: %v", found)
	}
	bundle := found[0]
	var bootstrap struct{ Address string }
	data, err := os.ReadFile(bundle + "/bootstrap.json")
	must(t, err)
	must(t, json.Unmarshal(data, &bootstrap))
	socket := strings.TrimPrefix(bootstrap.Address, "unix://")
	for _, path := range []string{socket, filepath.Dir(socket), bundle, bundle + "/config.json", bundle + "/runtime", bundle + "/options.json"} {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if st.Uid != 0 || st.Mode&0o022 != 0 {
			t.Errorf("%s: of %d, %#o", path, st.Uid, st.Mode)
		}
	}
	if err := dialAs(socket, 0); err != nil {
		t.Errorf("root: %v", err)
	}
	if err := dialAs(socket, 1000); !errors.Is(err, unix.EACCES) {
		t.Errorf("a user: %v", err)
	}
	// The same socket where all may pass, with a mode for all.
	opened := t.TempDir() + "/opened"
	must(t, os.WriteFile(opened, nil, 0o600))
	must(t, unix.Mount(socket, opened, "", unix.MS_BIND, ""))
	defer func() { must(t, unix.Unmount(opened, 0)) }()
	must(t, os.Chmod(opened, 0o666))
	must(t, os.Chmod(filepath.Dir(filepath.Dir(opened)), 0o755))
	if err := dialAs(opened, 1000); !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a user whom the modes let through: %v", err)
	}
	foreign := filepath.Join(filepath.Dir(bundle), "sock2")
	must(t, os.Mkdir(foreign, 0o755))
	must(t, os.Chown(foreign, 1000, 1000))
	must(t, os.WriteFile(foreign+"/runtime", []byte("/bin/true"), 0o644))
	if out, code := s.start(t, "--rm", criImage, "sock2", "true"); code == 0 || !strings.Contains(out, "exists") {
		t.Errorf("in a bundle that was there: exit code %d: %s", code, out)
	}
	mustRun(t, s.ctr, "-a", s.socket, "task", "kill", "-s", "KILL", "sock1")
	waitFor(t, "sock1 to stop", func() bool {
		_, code := run(t, s.ctr, "-a", s.socket, "task", "rm", "sock1")
		return code == 0
	})
}
