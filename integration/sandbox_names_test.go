package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The far end is a network namespace of its own, with public addresses, behind the
// test's, which is the host of the boxes and has its resolver there.
const farAway = `set -eu
unshare --net sleep 1000 & far=$!
trap 'kill $far $server 2>/dev/null' EXIT
server=
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set lo up
ip link add near type veth peer name far netns $far
ip addr add 192.0.2.1/24 dev near; ip link set near up
inside="nsenter --net=/proc/$far/ns/net"
$inside sh -c 'ip link set lo up; ip addr add 192.0.2.53/24 dev far; ip link set far up; for a in 93.184.216.34 93.184.216.35 10.7.7.7; do ip addr add $a/32 dev lo; done'
ip route add default via 192.0.2.53
echo "nameserver 192.0.2.53" >"$PLACE/resolv.conf"; mount --bind "$PLACE/resolv.conf" /etc/resolv.conf
$inside python3 "$SERVER" "$PLACE/log" shop.example.org=93.184.216.34 registry.npmjs.org=93.184.216.34 cdn.example.org=93.184.216.35 db.example.org=10.7.7.7 trap.example.org=169.254.169.254 & server=$!
for i in 1 2 3 4 5 6 7 8 9; do python3 -c 'import socket; socket.create_connection(("192.0.2.53", 8080))' 2>/dev/null && break; sleep 0.3; done
`

const askNames = `import socket, sys
for to in sys.argv[1:]:
    host, port = to.rsplit(":", 1)
    try:
        s = socket.create_connection((host, int(port)), 3)
        s.sendall(("GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % host).encode())
        print(to, s.recv(100)[9:12].decode())
    except socket.gaierror:
        print(to, "no name")
    except OSError:
        print(to, "refused")
`

// far runs a script beside the far end, and returns what it printed, what was
// said and what the far end was asked.
func (b *boxed) far(t *testing.T, script string, env ...string) (out, errs, asked string) {
	t.Helper()
	place := t.TempDir()
	server, err := filepath.Abs("testdata/box/names.py")
	must(t, err)
	cmd := exec.Command("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", farAway+script)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pinnedRunc(t))+":"+os.Getenv("PATH"), "HATCHDOG_POLICY=",
		"PLACE="+place, "HATCHCTL="+tested.hatchctl, "BOXES="+boxDir(), "SERVER="+server)
	cmd.Env = append(cmd.Env, env...)
	var files []*os.File
	for _, name := range []string{"out", "errs"} {
		f, err := os.OpenFile(filepath.Join(place, name), os.O_CREATE|os.O_RDWR, 0o600)
		must(t, err)
		defer f.Close()
		files = append(files, f)
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	_ = cmd.Run()
	log, _ := os.ReadFile(place + "/log") // there is none where nothing asked
	return read(t, files[0].Name()), read(t, files[1].Name()), string(log)
}

// Names open their addresses at their ports alone, and no other name leaves the box.
func TestBoxReachesNames(t *testing.T) {
	b := newBoxed(t)
	must(t, os.WriteFile(b.dir+"/ask.py", []byte(askNames), 0o644))
	const ask = `"$HATCHCTL" run "$BOXES" $ALLOW -- python3 ask.py shop.example.org:8080 shop.example.org:443 cdn.example.org:8080 db.example.org:8080 trap.example.org:8080 the-secret.evil.example.com:443 93.184.216.35:8080`
	for _, c := range []struct{ allow, want, said string }{
		{
			"--allow shop.example.org:8080/tcp",
			"shop.example.org:8080 200\nshop.example.org:443 refused\ncdn.example.org:8080 no name\ndb.example.org:8080 no name\ntrap.example.org:8080 no name\nthe-secret.evil.example.com:443 no name\n93.184.216.35:8080 refused\n",
			"(--allow shop.example.org:443/tcp)",
		},
		{
			"--allow shop.example.org",
			"shop.example.org:8080 refused\nshop.example.org:443 200\ncdn.example.org:8080 no name\ndb.example.org:8080 no name\ntrap.example.org:8080 no name\nthe-secret.evil.example.com:443 no name\n93.184.216.35:8080 refused\n",
			"(--allow the-secret.evil.example.com:PORT)",
		},
		// A name that a wildcard allows, private and link-local answers among them.
		{
			"--allow *.example.org:8080",
			"shop.example.org:8080 200\nshop.example.org:443 refused\ncdn.example.org:8080 200\ndb.example.org:8080 no name\ntrap.example.org:8080 no name\nthe-secret.evil.example.com:443 no name\n93.184.216.35:8080 200\n",
			"169.254.169.254 is no address that the policy opens",
		},
	} {
		out, errs, asked := b.far(t, ask, "ALLOW="+c.allow)
		if out != c.want || !strings.Contains(errs, c.said) {
			t.Errorf("%s:\n%s\nwant\n%s\n%s", c.allow, out, c.want, errs)
		}
		if strings.Contains(asked, "evil") || strings.Contains(asked, "trap") != strings.Contains(c.allow, "*") {
			t.Errorf("%s: left the box:\n%s", c.allow, asked)
		}
	}
	private := `"$HATCHCTL" run "$BOXES" --allow "*.example.org:8080 private" -- python3 ask.py db.example.org:8080 trap.example.org:8080`
	if out, errs, _ := b.far(t, private); out != "db.example.org:8080 200\ntrap.example.org:8080 no name\n" {
		t.Errorf("private: %s%s", out, errs)
	}
}

// A host whose resolver is on its loopback, where no box comes, is asked through
// what carries the packets.
func TestBoxAsksAResolverOnLoopback(t *testing.T) {
	b := newBoxed(t)
	must(t, os.WriteFile(b.dir+"/ask.py", []byte(askNames), 0o644))
	must(t, os.WriteFile(b.dir+"/forward.py", []byte(`import socket
here, there = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
here.bind(("127.0.0.53", 53))
while True:
    q, to = here.recvfrom(4096)
    there.sendto(q, ("192.0.2.53", 53))
    here.sendto(there.recv(4096), to)
`), 0o644))
	out, errs, _ := b.far(t, `python3 forward.py & server="$server $!"
echo "nameserver 127.0.0.53" >"$PLACE/resolv.conf"; sleep 0.5
"$HATCHCTL" run "$BOXES" --allow shop.example.org -- python3 ask.py shop.example.org:443 cdn.example.org:443`)
	if out != "shop.example.org:443 200\ncdn.example.org:443 no name\n" {
		t.Errorf("%s%s", out, errs)
	}
}

// The registries of a preset are open where they are asked for, and not before.
func TestBoxReachesRegistriesOfAPreset(t *testing.T) {
	b := newBoxed(t)
	must(t, os.WriteFile(b.dir+"/ask.py", []byte(askNames), 0o644))
	const names = "registry.npmjs.org:443 shop.example.org:443"
	const script = `"$HATCHCTL" run "$BOXES" --preset npm $ALLOW -- python3 ask.py ` + names
	for allow, want := range map[string]string{
		"--allow registries": "registry.npmjs.org:443 200\nshop.example.org:443 no name\n",
		"":                   "registry.npmjs.org:443 no name\nshop.example.org:443 no name\n",
	} {
		if out, errs, _ := b.far(t, script, "ALLOW="+allow); out != want {
			t.Errorf("%q: %s%s", allow, out, errs)
		}
	}
}

// The report has what was denied, the worst first, for programs too.
func TestBoxReportsNamesForPrograms(t *testing.T) {
	b := newBoxed(t)
	must(t, os.WriteFile(b.dir+"/ask.py", []byte(askNames), 0o644))
	script := `"$HATCHCTL" run "$BOXES" --report sarif --report-file "$PLACE/report" --allow shop.example.org -- python3 ask.py evil.example.com:443 evil.example.com:443 169.254.169.254:80 93.184.216.35:8080 10.7.7.7:5432
cat "$PLACE/report"`
	out, errs, _ := b.far(t, script)
	at := strings.Index(out, "{")
	if at < 0 {
		t.Fatalf("%s%s", out, errs)
	}
	var got struct {
		Version string `json:"version"`
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string `json:"name"`
					Rules []struct {
						ID string `json:"id"`
					} `json:"rules"`
				} `json:"driver"`
			} `json:"tool"`
			Results []struct {
				RuleID  string                `json:"ruleId"`
				Level   string                `json:"level"`
				Message struct{ Text string } `json:"message"`
			} `json:"results"`
		} `json:"runs"`
	}
	must(t, json.Unmarshal([]byte(out[at:]), &got))
	var order []string
	for _, r := range got.Runs[0].Results {
		order = append(order, r.RuleID+" "+r.Level)
	}
	if want := "box/metadata error,box/host error,box/packets warning,box/name warning"; got.Version != "2.1.0" || strings.Join(order, ",") != want {
		t.Errorf("%s\nwant %s\n%s", strings.Join(order, ","), want, out)
	}
	for _, r := range got.Runs[0].Results {
		if r.RuleID == "box/name" && !strings.Contains(r.Message.Text, "evil.example.com") {
			t.Errorf("%+v", r)
		}
		if r.RuleID == "box/metadata" && strings.Contains(r.Message.Text, "--allow") {
			t.Errorf("it leads to the cloud's credentials: %+v", r)
		}
	}
}
