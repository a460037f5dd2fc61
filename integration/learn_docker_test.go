package integration

import (
	"os"
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
	d.underLearnedProfiles(t, "servers", servers)
}

// languageServers are servers out of the image of languages.
var languageServers = map[string]service{
	"mariadb": {
		entry: `mkdir -p /run/mysqld; chown -R mysql /var/lib/mysql /run/mysqld
[ -d /var/lib/mysql/mysql ] || mariadb-install-db --force --user=mysql --datadir=/var/lib/mysql --auth-root-authentication-method=normal >/dev/null
exec mariadbd --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/s --skip-networking`,
		volume: "/var/lib/mysql",
		ask: `mariadb -S /run/mysqld/s -u root -Ne 'create database if not exists d; create table if not exists d.t (a int) engine=innodb;
insert into d.t values (40), (2); select sum(a) div count(a) * 2 from d.t'`,
		answer: "42",
	},
	"node": {
		entry: `cd /srv/data; exec node -e '
const http = require("http"), fs = require("fs"), cp = require("child_process"), zlib = require("zlib"), crypto = require("crypto");
http.createServer((q, s) => {
  fs.appendFileSync("asked", q.url + "\n");
  const sum = crypto.createHash("sha256").update(zlib.gzipSync(fs.readFileSync("asked"))).digest("hex");
  cp.exec("wc -l <asked", (e, out) => s.end("answered " + out.trim() + " " + sum));
}).listen(8080)'`,
		volume: "/srv/data",
		ask:    `curl -s http://127.0.0.1:8080/x`, answer: "answered",
	},
	"java": {
		entry:  `cd /srv/data; exec /usr/lib/jvm/java-17*/bin/rmiregistry 1099`,
		volume: "/srv/data",
		ask: `cd /srv/data; rm -f k; /usr/lib/jvm/java-17*/bin/keytool -genkeypair -alias a -keyalg RSA -keystore k -storepass changeit -dname CN=a 2>/dev/null
bash -c 'exec 3<>/dev/tcp/127.0.0.1/1099; printf "JRMI\0\2K" >&3; head -c 1 <&3 | od -An -tx1 | grep -q 4e' && [ -s k ] && echo answered`,
		answer: "answered",
	},
}

// MariaDB, a JVM and Node do their work and a restart under what was learned of them.
func TestLanguagesUnderLearnedProfiles(t *testing.T) {
	eachDocker(t, languagesUnderLearnedProfiles)
}

func languagesUnderLearnedProfiles(t *testing.T, d *docker) {
	archive, err := os.ReadFile(cached(t, "languages-*.tar"))
	must(t, err)
	d.importImage(t, "languages", archive)
	t.Cleanup(func() { d.try(t, "rmi", "-f", "languages") })
	d.underLearnedProfiles(t, "languages", languageServers)
}

func (d *docker) underLearnedProfiles(t *testing.T, image string, all map[string]service) {
	t.Helper()
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			box, volume := "learned-"+name, "hatchdog-learned-"+name
			t.Cleanup(func() { d.try(t, "volume", "rm", "-f", volume) })
			works := func(when string) {
				t.Helper()
				id := d.background(t, "--name", box, "-v", volume+":"+s.volume, image, "/bin/sh", "-ec", s.entry)
				for _, part := range []string{"at first", "again"} {
					var out string
					defer func() {
						if t.Failed() {
							said, _ := d.try(t, "logs", id)
							t.Logf("%s, %s: last answer %s\nlog: %s", when, part, out, said)
						}
					}()
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
