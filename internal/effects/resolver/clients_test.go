package resolver

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// sniffs is a packet socket at the far end.
func (l *lab) sniffs(t testing.TB) int {
	t.Helper()
	fd := -1
	must(t, host.InNetwork(l.far, func() (err error) {
		const everyProtocol = 0x0300
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, everyProtocol); err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<26)
		}
		return err
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// sent are the packets of IPv4 that came from the container.
func sent(fd int) map[string]int {
	all := map[string]int{}
	b := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			return all
		}
		ll, ok := from.(*unix.SockaddrLinklayer)
		if !ok || ll.Pkttype == unix.PACKET_OUTGOING || n < 24 || b[0]>>4 != 4 {
			continue
		}
		head := int(b[0]&15) * 4
		all[fmt.Sprintf("%d.%d.%d.%d:%d/%d", b[16], b[17], b[18], b[19], int(b[head+2])<<8|int(b[head+3]), b[9])]++
	}
}

// What people use resolves names by ours, whatever their own resolver does, and
// is told at once of those that are not allowed.
func TestRealClients(t *testing.T) {
	l := newLab(t, "www.example.org:80/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	l.zone.add("other.example.org", 60, "8.8.4.4")
	var mu sync.Mutex
	asked := map[string]int{}
	var ln net.Listener
	must(t, host.InNetwork(l.far, func() (err error) {
		ln, err = net.Listen("tcp4", ":80")
		return err
	}))
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.Host]++
		mu.Unlock()
		fmt.Fprintln(w, "hello")
	})}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()
	sniffer := l.sniffs(t)
	for _, c := range [][]string{
		{"curl", "-sS", "--max-time", "10", "http://%s/"},
		{"git", "ls-remote", "http://%s/repo.git"},
		{"python3", "-c", "import urllib.request; urllib.request.urlopen('http://%s/', timeout=10)"},
		{"busybox", "nslookup", "-type=a", "%s"},
		{"getent", "ahosts", "%s"},
	} {
		for name, want := range map[string]bool{"www.example.org": true, "other.example.org": false} {
			args := append([]string{fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), l.box)}, c[:len(c)-1]...)
			cmd := exec.Command("nsenter", append(args, fmt.Sprintf(c[len(c)-1], name))...)
			cmd.Env = append(os.Environ(), "http_proxy=", "https_proxy=", "HTTP_PROXY=", "all_proxy=")
			mu.Lock()
			before := asked[name]
			mu.Unlock()
			start := time.Now()
			out, err := cmd.CombinedOutput()
			mu.Lock()
			reached := asked[name] > before
			mu.Unlock()
			if c[0] == "getent" || c[0] == "busybox" { // they look up alone
				reached = err == nil
			}
			if reached != want || c[0] != "git" && (err == nil) != want {
				t.Errorf("%v %s: reached %v: %v %s", c[0], name, reached, err, out)
			}
			if took := time.Since(start); !want && took > 4*time.Second {
				t.Errorf("%v %s: refused after %v", c[0], name, took)
			}
		}
	}
	for to, n := range sent(sniffer) {
		if to != farAddr+":53/17" && to != "8.8.8.8:80/6" {
			t.Errorf("%d packets to %s left the container", n, to)
		}
	}
}
