package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The way out is tried in mount and network namespaces of the test's own, with a
// shared mount that has another below it, as /run/netns is on a host: what carries
// the packets takes mounts away for itself, and must take none of the host's.
const wayOut = `set -eu
mount -t tmpfs t "$PLACE"; mount --make-shared "$PLACE"; mkdir "$PLACE/below"; mount -t tmpfs t "$PLACE/below"; touch "$PLACE/below/there"
ip link set lo up; ip addr add 192.0.2.1/24 dev lo; ip addr add 169.254.169.254/32 dev lo
python3 -m http.server 8080 >/dev/null 2>&1 & server=$!
trap "kill $server" EXIT
for i in 1 2 3 4 5 6 7 8 9; do python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8080))' 2>/dev/null && break; sleep 0.3; done
"$HATCHCTL" run "$BOXES" $ALLOW -- python3 reach.py 192.0.2.1:8080 192.0.2.1:8081 169.254.169.254:8080 10.0.2.2:8080 127.0.0.1:8080
ls "$PLACE/below"
`

const reach = `import socket, sys
for to in sys.argv[1:]:
    host, port = to.split(":")
    try:
        s = socket.create_connection((host, int(port)), 1)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        print(to, s.recv(100)[:12].decode())
    except OSError as e:
        print(to, "refused")
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for to in ("10.0.2.3", "1.1.1.1"):
    try:
        u.sendto(b"look-up", (to, 53))
    except OSError as e:
        pass
`

func TestBoxReachesWhatIsListedAlone(t *testing.T) {
	b := newBoxed(t)
	must(t, os.WriteFile(b.dir+"/reach.py", []byte(reach), 0o644))
	// The host's own address is closed until it is named: of two entries the longer
	// prefix decides.
	for _, c := range []struct {
		allow, want, said string
	}{
		{"--allow 192.0.2.1:8080/tcp", "192.0.2.1:8080 HTTP/1.0 200\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\nthere\n", "packets to 169.254.169.254:8080 (tcp)\n"},
		{"--allow 0.0.0.0/0:8080", "192.0.2.1:8080 refused\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\nthere\n", "(--allow 10.0.2.3:53/udp)"},
		{"--allow 0.0.0.0/0", "192.0.2.1:8080 refused\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\nthere\n", "(--allow 10.0.2.3:53/udp)"},
		{"--allow 0.0.0.0/0 --allow 10.0.2.3:53/udp", "192.0.2.1:8080 refused\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\nthere\n", "packets to 192.0.2.1:8080"},
		{"", "192.0.2.1:8080 refused\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\nthere\n", "no way leads"},
	} {
		cmd := exec.Command("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", wayOut)
		cmd.Dir = b.dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pinnedRunc(t))+":"+os.Getenv("PATH"), "HATCHDOG_POLICY=",
			"PLACE="+t.TempDir(), "HATCHCTL="+tested.hatchctl, "BOXES="+boxDir(), "ALLOW="+c.allow)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		if out.String() != c.want || !strings.Contains(errs.String(), c.said) {
			t.Errorf("%s:\n%s\nwant\n%s\n%s", c.allow, out.String(), c.want, errs.String())
		}
	}
	if out, _ := run(t, "pgrep", "-f", "slirp4netns.*tap0"); strings.TrimSpace(out) != "" && strings.Contains(out, "/ns/net") {
		t.Errorf("left: %s", out)
	}
}
