package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namesProfile is a profile that allows names alone.
func namesProfile(more string) string {
	return `profile: named
profiles:
  named:
    extends: builtin/restricted
    egress: {default: deny, deny: [metadata, link-local], allow: ["public.example.test:80/tcp", "*.wild.example.test:80/tcp", {name: "private.example.test:80/tcp", private: true}, {name: "metadata.example.test:80/tcp", private: true}]}
` + more
}

// namesWant is what a container reaches under namesProfile. The zone outside
// gives each name the address that its first label says.
func namesWant() map[string]bool {
	return map[string]bool{
		"tcp=public.example.test:80":              true,
		"tcp=public.example.test:8080":            false,
		"tcp=private.example.test:80":             true,
		"tcp=metadata.example.test:80":            false, // whatever the policy says
		"tcp=other.example.test:80":               false,
		"name=other.example.test":                 false,
		"name=public.example.test":                true,
		"name=public.wild.example.test":           true,
		"name=private.wild.example.test":          false, // a public name that answers a private address
		"name=public.a.wild.example.test":         false,
		"tcp=" + outsideAddr + ":80":              false,
		"udp=" + internetAddr + ":" + servicePort: false,
		"tcp=" + metadataAddr + ":80":             false,
		"udp=" + metadataAddr + ":53":             false, // led to the resolver, who says nothing to what is no question
	}
}

// resolverOf is the process that looks names up for a container, 0 where there is
// none.
func resolverOf(t *testing.T, dir string) int {
	t.Helper()
	links, err := filepath.Glob(dir + "/state/*/*/resolver")
	must(t, err)
	if len(links) != 1 {
		return 0
	}
	to, err := os.Readlink(links[0])
	must(t, err)
	pid, _, _ := strings.Cut(to, ":")
	n, err := strconv.Atoi(pid)
	must(t, err)
	return n
}

// gone waits for a process to end.
func gone(t *testing.T, pid int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("process %d to end", pid), func() bool {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(data), ") Z ")
	})
}

// withResolver gives a bundle the resolver outside.
func withResolver(t *testing.T, dir string) func(*specs.Spec) {
	t.Helper()
	conf := dir + "/resolv.conf"
	must(t, os.WriteFile(conf, []byte("nameserver "+outsideAddr+"\n"), 0o644))
	return func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/etc/resolv.conf", Type: "bind", Source: conf, Options: []string{"bind", "ro", "nosuid", "nodev"}})
	}
}

func namesMounts(dir string) string {
	return "    mounts: {allow: [{path: " + dir + "/resolv.conf, access: ro}]}\n"
}

func TestNamesWiredBeforeStart(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, namesProfile(namesMounts(dir)))
	want := namesWant()
	h := createBundle(t, dir, "named", bundleOf(t, append(keys(want), "sleep=100s"), withResolver(t, dir)))
	h.wire(t, "hdnamed", "10.217.0", "fd00:217")
	if out, code := h.hatchdog(t, "start", "named"); code != 0 {
		t.Fatal(out)
	}
	pid := resolverOf(t, dir)
	if pid == 0 {
		t.Fatal("no resolver")
	}
	wantReach(t, h.output(t, len(want)), want)
	group := func(pid string) string { return read(t, "/proc/"+pid+"/cgroup") }
	if its, first := group(strconv.Itoa(pid)), group(strings.TrimSpace(read(t, dir+"/named.pid"))); its == first {
		t.Errorf("the resolver is in the container's control group: %s", its)
	}
	time.Sleep(1500 * time.Millisecond)
	out := mustRun(t, tested.hatchctl, "--policy", dir+"/policy.yaml", "net", "named")
	wantLines(t, out, "public.example.test", internetAddr, "other.example.test", "not in the policy")
	if out, code := h.hatchdog(t, "kill", "named", "KILL"); code != 0 {
		t.Fatal(out)
	}
	gone(t, pid)
	if out, code := h.hatchdog(t, "delete", "named"); code != 0 {
		t.Fatal(out)
	}
	wantLines(t, read(t, dir+"/log/audit.jsonl"), `"event":"names"`, "other.example.test")
}

// When the resolver is killed nothing opens, and the log says so.
func TestNamesResolverKilled(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, namesProfile(namesMounts(dir)))
	h := createBundle(t, dir, "killed", bundleOf(t, []string{"sleep=1s", "tcp=public.example.test:80", "tcp=" + internetAddr + ":80", "sleep=100s"}, withResolver(t, dir)))
	h.wire(t, "hdkilled", "10.218.0", "fd00:218")
	if out, code := h.hatchdog(t, "start", "killed"); code != 0 {
		t.Fatal(out)
	}
	pid := resolverOf(t, dir)
	must(t, unix.Kill(pid, unix.SIGKILL))
	wantReach(t, h.output(t, 3), map[string]bool{"tcp=public.example.test:80": false, "tcp=" + internetAddr + ":80": false})
	wantLines(t, mustRun(t, tested.hatchctl, "--policy", dir+"/policy.yaml", "net", "killed"), "the resolver was killed")
	if out, code := h.hatchdog(t, "delete", "--force", "killed"); code != 0 {
		t.Fatal(out)
	}
	wantLines(t, read(t, dir+"/log/audit.jsonl"), "the resolver was killed before the container ended")
}

// In a namespace that is there already, the resolver is there before the first
// instruction too: 200 containers send at once, and the far end sees nothing but
// what the names stand for.
func TestNamesNoWindow(t *testing.T) { namesNoWindow(t, starts) }

// As many as make soak is asked for.
func TestSoakNames(t *testing.T) { namesNoWindow(t, *cycles) }

func namesNoWindow(t *testing.T, starts int) {
	t.Helper()
	o := startOutside(t)
	path := bare(t, "hd-names")
	dir := openDir(t)
	policyFile(t, dir, namesProfile(namesMounts(dir)))
	sniffer := sniffs(t, o.path)
	defer unix.Close(sniffer)
	bundle := bundleOf(t, []string{
		"udp=" + metadataAddr + ":8080", "udp=" + outsideAddr + ":8080", "tcp=public.example.test:80", "udp=" + internetAddr + ":8080", "name=other.example.test",
	}, func(s *specs.Spec) { withResolver(t, dir)(s); joinNetwork(s, path) })
	spec, err := os.ReadFile(bundle + "/config.json")
	must(t, err)
	through := 0
	for i := range starts {
		must(t, os.WriteFile(bundle+"/config.json", spec, 0o600))
		out, code := runOutside(t, dir, fmt.Sprintf("names%d", i), bundle)
		if code != 0 {
			t.Fatal(out)
		}
		if strings.Contains(out, "tcp=public.example.test:80 yes") {
			through++
		}
		if strings.Contains(out, "udp=") && strings.Contains(out, "8080 yes") {
			t.Fatal(out)
		}
	}
	named, other := 0, map[string]int{}
	b := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(sniffer, b, 0)
		if err != nil {
			break
		}
		if n < 24 || b[0]>>4 != 4 || fmt.Sprintf("%d.%d.%d.%d", b[12], b[13], b[14], b[15]) != "10.213.0.2" {
			continue
		}
		to := packetTo(b[:n])
		switch to {
		case outsideAddr + ":53/17", internetAddr + ":80/6":
			named++
		default:
			other[to]++
		}
	}
	if len(other) > 0 || through < starts*9/10 || named < through {
		t.Errorf("%d starts, %d through; the far end saw %d packets of names, and %v", starts, through, named, other)
	}
}

// sniffs is a packet socket in a namespace.
func sniffs(t *testing.T, path string) int {
	t.Helper()
	fd := -1
	must(t, inNamespace(t, path, func() error {
		var err error
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0x0300) // every protocol
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<24)
		}
		return err
	}))
	return fd
}

// packetTo is where a packet of IPv4 goes: ADDRESS:PORT/PROTOCOL.
func packetTo(b []byte) string {
	head := int(b[0]&15) * 4
	return fmt.Sprintf("%d.%d.%d.%d:%d/%d", b[16], b[17], b[18], b[19], int(b[head+2])<<8|int(b[head+3]), b[9])
}

// The bounds of a resolver's memory, in KiB: what is resident, and what is its own.
const (
	resolverResident = 6 << 10
	resolverOwn      = 3 << 10
)

// Two hundred containers with names cost little, and leave nothing.
func TestNamesManyContainers(t *testing.T) {
	dir := openDir(t)
	policyFile(t, dir, namesProfile(""))
	const many = 200
	group := ""
	bundle := bundleOf(t, []string{"sleep=600s"}, func(s *specs.Spec) { group = s.Linux.CgroupsPath })
	spec := read(t, bundle+"/config.json")
	t.Cleanup(func() {
		for i := range many {
			run(t, "env", "HATCHDOG_POLICY="+dir+"/policy.yaml", tested.hatchdog, "--root", dir+"/root", "delete", "--force", fmt.Sprintf("many%d", i))
		}
	})
	out := dir + "/out"
	for i := range many {
		must(t, os.WriteFile(bundle+"/config.json", []byte(strings.Replace(spec, `"`+group+`"`, fmt.Sprintf("%q", group+strconv.Itoa(i)), 1)), 0o600))
		if _, code := run(t, "sh", "-c", fmt.Sprintf("HATCHDOG_POLICY=%[1]s/policy.yaml %[2]s --root %[1]s/root run -d --bundle %[3]s many%[4]d >%[5]s 2>&1 </dev/null", dir, tested.hatchdog, bundle, i, out)); code != 0 {
			t.Fatal(i, code, read(t, out))
		}
	}
	links, err := filepath.Glob(dir + "/state/*/*/resolver")
	must(t, err)
	if len(links) != many {
		t.Fatalf("%d resolvers", len(links))
	}
	var pids []int
	rss, own := 0, 0
	for _, l := range links {
		to, err := os.Readlink(l)
		must(t, err)
		pid, err := strconv.Atoi(strings.Split(to, ":")[0])
		must(t, err)
		pids = append(pids, pid)
		for _, line := range strings.Split(read(t, fmt.Sprintf("/proc/%d/smaps_rollup", pid)), "\n") {
			f := strings.Fields(line)
			if len(f) != 3 {
				continue
			}
			n, _ := strconv.Atoi(f[1])
			switch f[0] {
			case "Rss:":
				rss += n
			case "Private_Dirty:":
				own += n
			}
		}
	}
	t.Logf("resident %d KiB each, of which %d KiB their own", rss/many, own/many)
	if rss/many > resolverResident || own/many > resolverOwn {
		t.Errorf("resident %d KiB each, of which %d KiB their own", rss/many, own/many)
	}
	for i := range many {
		if out, code := run(t, "env", "HATCHDOG_POLICY="+dir+"/policy.yaml", tested.hatchdog, "--root", dir+"/root", "delete", "--force", fmt.Sprintf("many%d", i)); code != 0 {
			t.Fatal(out)
		}
	}
	for _, pid := range pids {
		gone(t, pid)
	}
	if left, _ := filepath.Glob(dir + "/state/*/*/resolver*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Containers of one network namespace have one resolver, and a packet passes the
// policies of all: one with other names is refused, and one that allows less holds the
// first as well.
func TestNamesTwoPolicies(t *testing.T) {
	startOutside(t)
	path := bare(t, "hd-two")
	dir := openDir(t)
	policyFile(t, dir, namesProfile(namesMounts(dir)))
	joined := func(s *specs.Spec) { withResolver(t, dir)(s); joinNetwork(s, path) }
	h := createBundle(t, dir, "first", bundleOf(t, []string{"sleep=200s"}, joined))
	if out, code := h.hatchdog(t, "start", h.id); code != 0 {
		t.Fatal(out)
	}
	first := func(want bool) {
		t.Helper()
		out, _ := h.hatchdog(t, "exec", h.id, "/bin/reach", "tcp=public.example.test:80")
		wantReach(t, out, map[string]bool{"tcp=public.example.test:80": want})
	}
	first(true)
	second := bundleOf(t, []string{"name=public.example.test", "tcp=public.example.test:80", "tcp=" + internetAddr + ":80"}, joined)
	for names, want := range map[string]bool{
		`"public.example.test:80/tcp", "*.wild.example.test:80/tcp", {name: "private.example.test:80/tcp", private: true}, {name: "metadata.example.test:80/tcp", private: true}`: true, // the same
		`"public.example.test:80/tcp", "*.example.test:80/tcp"`: false,
		`"public.example.test:80/tcp"`:                          false,
	} {
		policyFile(t, dir, "profile: second\nprofiles:\n  second:\n    extends: builtin/restricted\n    others: admit\n    egress: {default: deny, deny: [metadata, link-local], allow: ["+names+"]}\n"+namesMounts(dir))
		out, code := runOutside(t, dir, "second", second)
		if (code == 0) != want || !want && !strings.Contains(out, "two policies with names meet") {
			t.Errorf("%s: exit code %d\n%s", names, code, out)
		}
		if want {
			wantReach(t, out, map[string]bool{"name=public.example.test": true, "tcp=public.example.test:80": true, "tcp=" + internetAddr + ":80": true})
		}
	}
	// One that allows nothing holds them both.
	policyFile(t, dir, "profile: second\nprofiles:\n  second:\n    extends: builtin/restricted\n    others: admit\n    egress: {default: deny, allow: []}\n"+namesMounts(dir))
	out, code := runOutside(t, dir, "second", second)
	if code != 0 {
		t.Fatal(out)
	}
	wantReach(t, out, map[string]bool{"name=public.example.test": false, "tcp=public.example.test:80": false, "tcp=" + internetAddr + ":80": false})
	first(false)
}
