package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// A server is recorded in the background over its work and a restart; under the
// profile that was learned it does both again, and verify has nothing to tell.
func TestServersUnderLearnedProfiles(t *testing.T) {
	eachDocker(t, serversUnderLearnedProfiles)
}

func serversUnderLearnedProfiles(t *testing.T, d *docker) {
	d.importServers(t)
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			box, volume := "learned-"+name, "hatchdog-learned-"+name
			t.Cleanup(func() { d.try(t, "volume", "rm", "-f", volume) })
			works := func(when string) {
				t.Helper()
				id := d.background(t, "--name", box, "-v", volume+":"+s.volume, "servers", "/bin/sh", "-ec", s.entry)
				for _, part := range []string{"at first", "again"} {
					var out string
					ok := func() bool {
						var code int
						out, code = d.try(t, "exec", id, "/bin/sh", "-c", s.ask)
						return code == 0 && strings.Contains(out, s.answer) && strings.TrimSpace(out) != ""
					}
					waitFor(t, name+" to answer "+when+", "+part, ok)
					if part == "at first" {
						d.do(t, "restart", "-t", "5", id)
					}
				}
				d.do(t, "rm", "-f", id)
			}
			do := func(args ...string) string {
				t.Helper()
				out, code := d.hatchctl(t, args...)
				if code != 0 {
					t.Fatalf("hatchctl %s: exit code %d\n%s", strings.Join(args, " "), code, out)
				}
				return out
			}
			record := func(as, when string) {
				t.Helper()
				do("learn", "start", box, "--as", as)
				t.Cleanup(func() { d.hatchctl(t, "learn", "stop", as); d.hatchctl(t, "learn", "remove", as) })
				works(when)
				do("learn", "stop", as)
			}
			record(name, "while it is recorded")
			text, err := exec.Command(tested.hatchctl, "--policy", d.dir+"/policy.yaml", "learn", "show", name).Output()
			must(t, err)
			_, profiles, found := strings.Cut(string(text), "\nprofiles:\n")
			if !found || !strings.Contains(string(text), "Learned from 2 runs") {
				t.Fatalf("two runs were not learned:\n%s", text)
			}
			if name == "nginx" && !strings.Contains(profiles, `"0.0.0.0/0:80/tcp"`) {
				t.Errorf("port 80 was not learned:\n%s", profiles)
			}
			d.setPolicy(t, "profile: learned-"+name+"\nprofiles:\n"+profiles)
			record(name+"-again", "under its profile")
			if out, code := d.hatchctl(t, "learn", "verify", name, name+"-again"); code != 0 {
				t.Errorf("verify: %d\n%s", code, out)
			}
			d.setPolicy(t, "unrecorded: refuse\n")
		})
	}
}
