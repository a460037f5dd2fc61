package resolver

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// opens marks the first packet of a connection in what sent returns.
const opens = " opens"

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
		to := fmt.Sprintf("%d.%d.%d.%d:%d/%d", b[16], b[17], b[18], b[19], int(b[head+2])<<8|int(b[head+3]), b[9])
		const flags, syn, ack = 13, 2, 16 // RFC 9293, 3.1
		if b[9] == unix.IPPROTO_TCP && b[head+flags]&(syn|ack) == syn {
			to += opens
		}
		all[to]++
	}
}

// client is a program that people use, with %s for the name.
type client struct {
	name    string
	args    []string
	looksUp bool // and connects to nobody
}

// clients have among them the resolvers of glibc, musl, Java, Go and Node.
func clients(t *testing.T, dir string) []client {
	t.Helper()
	list := filepath.Join(dir, "sources.list")
	return []client{
		{name: "curl", args: []string{"curl", "-sS", "--max-time", "10", "http://%s/"}},
		{name: "git", args: []string{"git", "ls-remote", "http://%s/repo.git"}},
		{name: "python", args: []string{"python3", "-c", "import urllib.request; urllib.request.urlopen('http://%s/', timeout=10)"}},
		{name: "busybox", args: []string{"busybox", "nslookup", "-type=a", "%s"}, looksUp: true},
		{name: "glibc", args: []string{"getent", "ahosts", "%s"}, looksUp: true},
		{name: "npm", args: []string{"npm", "view", "--fetch-retries=0", "--registry=http://%s/", "left"}},
		{name: "pip", args: []string{"python3", "-m", "pip", "download", "--retries=0", "--timeout=10", "--no-deps", "--index-url=http://%s/simple", "--trusted-host=%s", "-d", dir, "left"}},
		{name: "apt", args: []string{"sh", "-c", "echo 'deb [trusted=yes] http://%s/ stable main' >" + list +
			" && apt-get -q -o Acquire::Retries=0 -o Dir::Etc::sourcelist=" + list + " -o Dir::Etc::sourceparts=- -o Dir::State::lists=" + dir + " -o APT::Sandbox::User=root -o Acquire::http::Proxy=DIRECT -o Debug::NoLocking=1 update"}},
		{name: "psql", args: []string{"psql", "-h", "%s", "-p", "80", "-U", "anybody", "-c", "select 1", "postgres"}},
		{name: "Java", args: []string{"java", "-Xshare:auto", source(t, dir, "Look.java", javaClient), "%s"}},
		{name: "Go", args: []string{goClient(t, dir), "%s"}},
		{name: "musl", args: []string{muslClient(t, dir), "%s"}},
	}
}

const (
	javaClient = `public class Look {
	public static void main(String[] args) throws Exception {
		new java.net.Socket(java.net.InetAddress.getByName(args[0]), 80).close();
	}
}
`
	goText = `package main

import (
	"net"
	"os"
)

func main() {
	c, err := net.Dial("tcp", net.JoinHostPort(os.Args[1], "80"))
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	c.Close()
}
`
	muslText = `#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *a;
	int e = getaddrinfo(argv[1], "80", &hints, &a);
	if (e) {
		puts(gai_strerror(e));
		return 1;
	}
	return connect(socket(a->ai_family, a->ai_socktype, 0), a->ai_addr, a->ai_addrlen) != 0;
}
`
)

func source(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func goClient(t *testing.T, dir string) string {
	t.Helper()
	return built(t, dir, "go", "build", "-o", filepath.Join(dir, "go-client"), source(t, dir, "look.go", goText))
}

func muslClient(t *testing.T, dir string) string {
	t.Helper()
	return built(t, dir, "musl-gcc", "-static", "-o", filepath.Join(dir, "musl-client"), source(t, dir, "look.c", muslText))
}

// built runs a compiler whose output is the word before the last.
func built(t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v %s", command, err, out)
	}
	return command[len(command)-2]
}

// withoutProxies is the environment without what leads a client elsewhere.
func withoutProxies(dir string) []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(strings.ToLower(e), "=")
		if !strings.HasSuffix(name, "_proxy") && !strings.HasPrefix(name, "npm_config_") && !strings.HasPrefix(name, "pip_") {
			env = append(env, e)
		}
	}
	return append(env, "HOME="+dir, "npm_config_cache="+dir+"/npm", "npm_config_globalconfig=/dev/null", "npm_config_update_notifier=false",
		"PIP_CONFIG_FILE=/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PGCONNECT_TIMEOUT=10", "PGSSLMODE=disable")
}

// What people use resolves names by ours, whatever their own resolver does, and
// is told at once of those that are not allowed.
func TestRealClients(t *testing.T) {
	l := newLab(t, "www.example.org:80/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	l.zone.add("other.example.org", 60, "8.8.4.4")
	var ln net.Listener
	must(t, host.InNetwork(l.far, func() (err error) {
		ln, err = net.Listen("tcp4", ":80")
		return err
	}))
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.NotFoundHandler()}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()
	dir := t.TempDir()
	sniffer := l.sniffs(t)
	for _, c := range clients(t, dir) {
		for name, want := range map[string]bool{"www.example.org": true, "other.example.org": false} {
			args := []string{fmt.Sprintf("--net=/proc/%d/fd/%d", os.Getpid(), l.box)}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "%s", name))
			}
			cmd := exec.Command("nsenter", args...)
			cmd.Env, cmd.Dir = withoutProxies(dir), dir
			start := time.Now()
			out, err := cmd.CombinedOutput()
			took := time.Since(start)
			to := sent(sniffer)
			if reached := to["8.8.8.8:80/6"+opens] > 0; reached != (want && !c.looksUp) || c.looksUp && (err == nil) != want {
				t.Errorf("%s, %s: reached %v: %v %s", c.name, name, reached, err, out)
			}
			delete(to, "8.8.8.8:80/6"+opens)
			delete(to, "8.8.8.8:80/6") // what a client before said last
			delete(to, farAddr+":53/17")
			if len(to) > 0 {
				t.Errorf("%s, %s: packets to %v left the container", c.name, name, to)
			}
			if !want && took > longestStart {
				t.Errorf("%s: refused after %v: %s", c.name, took, out)
			}
		}
	}
}

// longestStart is below the five seconds that a client of DNS waits for an answer
// (resolv.conf(5), timeout), except for those that take their time to start.
const longestStart = 15 * time.Second
