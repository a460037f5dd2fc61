package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// programs do what people do with them, and print "fine" at the end.
var programs = map[string]string{
	"python": `cat >/tmp/p.py <<'P'
import os, socket, subprocess, threading, time, tempfile
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
t = threading.Thread(target=lambda: socket.create_connection(s.getsockname()).sendall(b"x")); t.start()
assert s.accept()[0].recv(1) == b"x"; t.join()
assert subprocess.run(["echo", "x"], capture_output=True).stdout == b"x\n"
assert os.fork() or os._exit(0) or True
socket.if_nameindex(); tempfile.TemporaryFile().write(b"x")
print("fine")
P
python3 /tmp/p.py`,
	"node": `node -e '
const net = require("net"), os = require("os"), cp = require("child_process");
os.networkInterfaces(); cp.execSync("true"); require("fs").writeFileSync("/tmp/n", "x");
const s = net.createServer(c => c.end("x")).listen(0, "127.0.0.1", () =>
  net.connect(s.address().port, "127.0.0.1").on("data", () => console.log("fine")).on("close", () => s.close()));'`,
	"java": `cd /tmp; rm -f k; /usr/lib/jvm/java-17*/bin/keytool -genkeypair -alias a -keyalg RSA -keystore k -storepass changeit -dname CN=a && [ -s k ] && echo fine`,
	"go":   `/tools/curious >/tmp/g && [ -s /tmp/g ] && echo fine`,
	"shell and its tools": `cd /tmp; mkdir -p d; for i in 1 2 3; do echo $i >d/$i; done; cat d/* | sort -rn | head -n 1 | grep -q 3
tar -czf d.tgz d; tar -tzf d.tgz >/dev/null; find d -name 1 -exec ls -la {} +; ps ax >/dev/null; id; date; sed s/1/x/ d/1 | awk '{print $1}'
mkfifo f; (echo x >f &) ; read -r x <f; ln -s d l; chmod 700 d; touch -d yesterday d/1; du -s d; sleep 0.1; kill -0 $$; nice true; timeout 5 true
mktemp >/dev/null; stat d >/dev/null; df /tmp >/dev/null; nproc >/dev/null; setsid true; echo fine`,
	"git": `export HOME=/tmp; cd /tmp; rm -rf r r2; git init -q r; cd r; echo x >f; git add f; git -c user.name=x -c user.email=x@x commit -qm x
git clone -q /tmp/r /tmp/r2; git gc -q; cd ../r2; git log --oneline | grep -q x; echo fine`,
	"gcc": `cd /tmp; printf '#include <stdio.h>\nint main(void) { puts("fine"); return 0; }\n' >h.c; gcc -O2 -o h h.c; ./h`,
	"curl": `cat >/tmp/s.py <<'P'
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 8080)); s.listen()
c = s.accept()[0]; c.recv(9999); c.sendall(b"HTTP/1.0 200 OK\r\n\r\nfine\n"); c.close()
P
python3 /tmp/s.py & sleep 1; curl -s --retry 5 --retry-connrefused http://127.0.0.1:8080/; wait`,
	"mariadb": `mkdir -p /tmp/m; chown -R mysql /tmp/m; mariadb-install-db --force --user=mysql --datadir=/tmp/m --auth-root-authentication-method=normal >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
mariadbd --user=mysql --datadir=/tmp/m --socket=/tmp/m/s --skip-networking >/tmp/log 2>&1 &
q() { mariadb -S /tmp/m/s -u root -Ne "$1"; }
for i in $(seq 60); do sleep 1; q 'select 1' >/dev/null 2>&1 && break; done
q 'create database d; create table d.t (a int) engine=innodb; insert into d.t values (40), (2)'
[ "$(q 'select sum(a) from d.t')" = 42 ] && echo fine || cat /tmp/log; kill %1; wait`,
}

// unpacked is the root file system of the language tests.
func unpacked(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	mustRun(t, "tar", "-xf", cached(t, "languages-*.tar"), "-C", root)
	must(t, os.MkdirAll(root+"/tools", 0o755))
	cmd := exec.Command("go", "build", "-o", root+"/tools/curious", "./curious")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, d := range []string{"/proc", "/sys", "/dev", "/tmp"} {
		must(t, os.MkdirAll(root+d, 0o755))
	}
	must(t, os.Chmod(root+"/tmp", 0o1777))
	return root
}

// Language runtimes, compilers, tools and a database work under the tables, on
// Docker's filter and without one.
func TestProgramsUnderTables(t *testing.T) {
	root := unpacked(t)
	for _, table := range []string{"restricted", "untrusted"} {
		for name, script := range programs {
			t.Run(table+" "+name, func(t *testing.T) {
				dir := makeBundle(t, "")
				editSpec(t, dir, func(s *specs.Spec) {
					s.Root.Path, s.Root.Readonly = root, false
					s.Process.Args = []string{"/bin/bash", "-ec", script}
					s.Process.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
					if table == "restricted" {
						s.Linux.Seccomp = dockersFilter(t)
					}
				})
				out, code := viaHatchdog(t, dir, "{extends: builtin/restricted, seccomp: {table: "+table+"}}")
				if code != 0 || !strings.Contains(out, "fine") {
					t.Errorf("exit code %d\n%s", code, out)
				}
				if left, _ := filepath.Glob(root + "/tmp/*"); len(left) > 0 {
					mustRun(t, "rm", append([]string{"-rf"}, left...)...)
				}
			})
		}
	}
}
