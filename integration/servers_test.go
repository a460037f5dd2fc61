package integration

import (
	"os"
	"strings"
	"testing"
)

// service is a server, and how it is asked.
type service struct {
	entry  string // a shell script
	volume string
	ask    string // run inside by exec
	answer string
	worker string // the process that must run as user
	user   string
}

// The entrypoints do what the official images do: start as root, give the data
// directory away, step down.
var servers = map[string]service{
	"nginx": {
		entry: `mkdir -p /var/lib/nginx /run /var/log/nginx; chown www-data /var/lib/nginx
mkdir -p /srv/www; echo answered >/srv/www/index.html
printf 'user www-data; worker_processes 2; events {} http { access_log off; server { listen 80; root /srv/www; } }' >/tmp/n.conf
exec nginx -c /tmp/n.conf -g 'daemon off;'`,
		volume: "/var/lib/nginx",
		ask:    "curl -s http://127.0.0.1/", answer: "answered", worker: "nginx: worker process", user: "33",
	},
	"redis": {
		entry:  `chown -R redis /var/lib/redis; cd /var/lib/redis; exec gosu redis redis-server --bind 127.0.0.1 --dir /var/lib/redis`,
		volume: "/var/lib/redis",
		ask:    "redis-cli incr n", answer: "", worker: "redis-server", user: "998",
	},
	"postgres": {
		entry: `mkdir -p /var/lib/postgresql/data /run/postgresql; chown -R postgres /var/lib/postgresql/data /run/postgresql; chmod 700 /var/lib/postgresql/data
cd /; P=/usr/lib/postgresql/15/bin
[ -s /var/lib/postgresql/data/PG_VERSION ] || gosu postgres $P/initdb -D /var/lib/postgresql/data -A trust >/dev/null
exec gosu postgres $P/postgres -k /run/postgresql -D /var/lib/postgresql/data`,
		volume: "/var/lib/postgresql/data",
		ask:    "psql -h /run/postgresql -U postgres -Atc 'select 40+2'", answer: "42", worker: "postgres: checkpointer", user: "999",
	},
}

// importServers gives it the image with the servers, for the length of the test.
func (d *docker) importServers(t *testing.T) {
	t.Helper()
	archive, err := os.ReadFile(cached(t, "servers-*.tar"))
	must(t, err)
	d.importImage(t, "servers", archive)
	t.Cleanup(func() { d.try(t, "rmi", "-f", "servers") })
}

func TestServersUnderRestricted(t *testing.T) {
	eachDocker(t, serversUnderRestricted)
}

func serversUnderRestricted(t *testing.T, d *docker) {
	d.importServers(t)
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			volume := "hatchdog-" + name
			t.Cleanup(func() { d.try(t, "volume", "rm", "-f", volume) })
			id := d.background(t, "-v", volume+":"+s.volume, "servers", "/bin/sh", "-ec", s.entry)
			check := func(when string) {
				t.Helper()
				var out string
				ok := func() bool {
					var code int
					out, code = d.try(t, "exec", id, "/bin/sh", "-c", s.ask)
					return code == 0 && strings.Contains(out, s.answer) && strings.TrimSpace(out) != ""
				}
				defer func() {
					if t.Failed() {
						t.Logf("%s: last answer %s\nlog: %s", when, out, d.do(t, "logs", id))
					}
				}()
				waitFor(t, name+" to answer "+when, ok)
				look := `for p in /proc/[0-9]*; do case "$(tr '\0' ' ' <$p/cmdline 2>/dev/null)" in *"` + s.worker + `"*) [ ${p#/proc/} != $$ ] && while read -r k v; do case $k in Uid:|NoNewPrivs:) echo "$k $v";; esac; done <$p/status;; esac; done; true`
				found := d.do(t, "exec", id, "/bin/sh", "-c", look)
				if !strings.Contains(found, "Uid: "+s.user+"\t"+s.user+"\t"+s.user) || !strings.Contains(found, "NoNewPrivs: 1") {
					t.Errorf("%s: the worker is not user %s:\n%s", when, s.user, found)
				}
			}
			check("at first")
			d.do(t, "restart", "-t", "5", id)
			check("again")
		})
	}
}
