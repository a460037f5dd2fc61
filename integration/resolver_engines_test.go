package integration

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Names under Docker: on its default bridge, where the container has the host's
// kind of resolver, and on a network of its own, where it has Docker's at
// 127.0.0.11.
func TestNamesDocker(t *testing.T) {
	eachDocker(t, namesDocker)
}

func namesDocker(t *testing.T, d *docker) {
	o := d.outside(t)
	d.setPolicy(t, namesProfile(""))
	sniffer := sniffs(t, o.path)
	defer unix.Close(sniffer)
	want := namesWant()
	d.reach(t, want, "--dns", outsideAddr)
	d.do(t, "network", "create", "names-it")
	t.Cleanup(func() { d.run(t, "network", "rm", "names-it") })
	d.reach(t, want, "--network", "names-it", "--dns", outsideAddr)
	for to := range sent(sniffer) {
		if to != outsideAddr+":53/17" && to != internetAddr+":80/6" && to != privateAddr+":80/6" {
			t.Errorf("the far end saw a packet to %s", to)
		}
	}
	d.setPolicy(t, strings.Replace(namesProfile(""), `allow: [`, `allow: [{name: "neighbour:80/tcp", private: true}, `, 1))
	d.background(t, "--network", "names-it", "--name", "neighbour", "busybox", "reach", "serve=:80")
	id := d.background(t, "--network", "names-it", "--dns", outsideAddr, "busybox", "reach", "tcp=neighbour:80", "tcp=neighbour:81", "name=public.example.test", "sleep=600s")
	waitFor(t, "the container to try", func() bool { return strings.Count(d.do(t, "logs", id), "\n") == 3 })
	wantReach(t, d.do(t, "logs", id), map[string]bool{"tcp=neighbour:80": true, "tcp=neighbour:81": false, "name=public.example.test": true})
	out, code := d.hatchctl(t, "net", id)
	if code != 0 {
		t.Fatal(out)
	}
	wantLines(t, out, "names: it answers", "neighbour")
	// Real clients, musl's and glibc's among them where the image has them.
	out, code = d.run(t, "--network", "names-it", "--dns", outsideAddr, "busybox", "sh", "-c",
		"nslookup other.example.test; wget -T 5 -O /dev/null http://other.example.test/; echo gone $?; wget -T 5 -qO /dev/null http://public.example.test/; ping -c 1 -W 1 public.example.test || true")
	wantLines(t, out, "gone 1")
	if code != 0 || strings.Contains(out, "timed out") {
		t.Error(out)
	}
}

// sent are the packets of the containers that came to a packet socket.
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
		all[packetTo(b[:n])]++
	}
}

// A pod's containers share one resolver, which ends with the pod.
func TestNamesCRI(t *testing.T) {
	startOutside(t)
	k := startCRI(t)
	forwarding(t)
	before := read(t, k.dir+"/policy.yaml")
	t.Cleanup(func() { must(t, os.WriteFile(k.dir+"/policy.yaml", []byte(before), 0o600)) })
	profile := strings.TrimPrefix(namesProfile(""), "profile: named\nprofiles:\n")
	text := strings.Replace(before, "\nprofiles:\n", "\nprofiles:\n"+profile, 1)
	if !strings.Contains(before, "\nprofiles:\n") {
		text = before + "profiles:\n" + profile
	}
	text = strings.Replace(text, "rules:\n", "rules:\n  - {match: {engine: cri, namespace: named}, profile: named}\n", 1)
	must(t, os.WriteFile(k.dir+"/policy.yaml", []byte(text), 0o600))
	config := pod("named", "web", object{}, nil)
	config["dnsConfig"] = object{"servers": []string{outsideAddr}, "searches": []string{"named.svc.cluster.local"}, "options": []string{"ndots:5"}}
	sandbox, failure := k.sandbox(t, config)
	if failure != "" {
		t.Fatal(failure)
	}
	want := namesWant()
	for _, name := range []string{"a", "b"} {
		id, failure := k.container(t, sandbox, config, name, object{})
		if failure != "" {
			t.Fatal(failure)
		}
		wantReach(t, k.exec(t, id, append([]string{"reach"}, keys(want)...)...), want)
	}
	out := mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "net", "named/web")
	wantLines(t, out, "names: it answers", "public.example.test")
}
