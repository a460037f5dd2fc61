package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ordinary is a user who has an account, subordinate ids if they are wanted, and
// a /dev/net/tun as udev makes it, in mount and network namespaces of the test's own.
type ordinary struct {
	dir string // the user's, with home, work and the programs in it
	sub bool
}

func newOrdinary(t *testing.T, sub bool) *ordinary {
	t.Helper()
	// Not below the tests' folder: that is of a user who has no name there.
	dir, err := os.MkdirTemp("", "hatchdog-it-box-")
	must(t, err)
	o := &ordinary{dir, sub}
	t.Cleanup(func() {
		killMatching(dir)
		must(t, os.RemoveAll(dir))
	})
	for _, d := range []string{"bin", "run", "home/work/.git/hooks"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o700))
	}
	for name, from := range map[string]string{"runc": pinnedRunc(t), "hatchdog": tested.hatchdog, "hatchctl": tested.hatchctl} {
		must(t, os.WriteFile(filepath.Join(dir, "bin", name), []byte(read(t, from)), 0o755))
	}
	for name, text := range map[string]string{".env": "KEY=the-secret", ".git/config": "[core]\n", "README": "read me\n"} {
		must(t, os.WriteFile(filepath.Join(dir, "home/work", name), []byte(text), 0o600))
	}
	must(t, os.WriteFile(dir+"/home/reach.py", []byte(reach), 0o600))
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, someUser, someUser)
	}))
	must(t, os.WriteFile(dir+"/passwd", []byte(read(t, "/etc/passwd")+fmt.Sprintf("someone:x:%d:%d::%s/home:/bin/sh\n", someUser, someUser, dir)), 0o644))
	subids := ""
	if sub {
		subids = fmt.Sprintf("someone:%d:65536\n", someUser<<8)
	}
	must(t, os.WriteFile(dir+"/subids", []byte(subids), 0o644))
	return o
}

const asOrdinary = `set -eu
mount --bind "$D/subids" /etc/subuid; mount --bind "$D/subids" /etc/subgid; mount --bind "$D/passwd" /etc/passwd
mkdir "$D/net"; mount -t tmpfs t "$D/net"; mknod -m 666 "$D/net/tun" c 10 200; mount --bind "$D/net/tun" /dev/net/tun
[ -n "${WIRED:-}" ] || { ip link set lo up; ip addr add 192.0.2.1/24 dev lo; ip addr add 169.254.169.254/32 dev lo; }
for g in ${GROUPS_V1:-}; do echo $$ >"$g/cgroup.procs"; done
eval "${BEFORE:-}"
cd "$D/home/work"
exec env -i PATH="$D/bin:/usr/sbin:/usr/bin:/bin" HOME="$D/home" XDG_RUNTIME_DIR="$D/run" TERM=xterm setpriv --reuid 54321 --regid 54321 --groups 54321,54999 sh -c "$SCRIPT"
`

func (o *ordinary) command(script string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd := exec.Command("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", asOrdinary)
	cmd.Env = append(os.Environ(), "D="+o.dir, "SCRIPT="+script)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return cmd, &out, &errs
}

func (o *ordinary) sh(t *testing.T, script string) (out, errs string, code int) {
	t.Helper()
	cmd, a, b := o.command(script)
	_ = cmd.Run()
	_ = os.Remove(o.dir + "/net/tun")
	must(t, os.RemoveAll(o.dir+"/net"))
	return a.String(), b.String(), cmd.ProcessState.ExitCode()
}

// An ordinary user's box has what root's has: nothing is seen, written or reached
// beyond what was granted.
func TestBoxOfAnOrdinaryUser(t *testing.T) {
	for _, sub := range []bool{true, false} {
		o := newOrdinary(t, sub)
		out, errs, code := o.sh(t, `hatchctl run --rw . -- sh -c 'cat README .env; id -u; cat /proc/self/uid_map; grep -E "Cap(Bnd|Eff)|NoNew|Seccomp:|Groups" /proc/self/status; echo x >made; echo evil >.git/config; echo evil >.git/hooks/x; mkdir .vscode; cat /etc/shadow; ls /home /root /tmp; touch /usr/x; unshare -U true && echo NESTED; mount -t tmpfs t /tmp && echo MOUNTED; exit 7' 2>"$HOME/errs"; code=$?; cat "$HOME/errs" >&2; cat made .git/config; ls -A; exit $code`)
		for _, want := range []string{"read me", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "x\n[core]\n"} {
			if !strings.Contains(out, want) {
				t.Errorf("subordinate ids %v: no %q in\n%s", sub, want, out)
			}
		}
		for _, no := range []string{"the-secret", "evil", ".vscode", "NESTED", "MOUNTED", "shadow"} {
			if strings.Contains(out, no) {
				t.Errorf("subordinate ids %v: %q in\n%s", sub, no, out)
			}
		}
		if code != 7 || !strings.Contains(out, map[bool]string{true: "\n54321\n", false: "\n0\n"}[sub]) {
			t.Errorf("subordinate ids %v: %d\n%s%s", sub, code, out, errs)
		}
		if dropped := strings.Contains(out, "Groups:\t \n"); dropped != sub {
			t.Errorf("subordinate ids %v: its groups are dropped: %v\n%s", sub, dropped, out)
		}
		var st syscall.Stat_t
		must(t, syscall.Stat(o.dir+"/home/work/made", &st))
		if st.Uid != someUser || st.Gid != someUser {
			t.Errorf("made belongs to %d:%d", st.Uid, st.Gid)
		}
		if left, _ := filepath.Glob(o.dir + "/run/hatchdog-run/*/*"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// What the kernel lets no user limit as a whole is limited by process, and what
// limits are left is said by the exit code.
func TestBoxOfAnOrdinaryUserIsLimited(t *testing.T) {
	o := newOrdinary(t, true)
	for script, want := range map[string]struct {
		code int
		out  string
	}{
		`hatchctl run --memory 64MiB -- python3 -c 'bytearray(200<<20)'`:                                                         {1, "MemoryError"},
		`hatchctl run --memory 16MiB -- echo small`:                                                                              {0, "small"},
		`hatchctl run --pids 20 -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1 & done; wait'`: {2, "Cannot fork"},
		`hatchctl run --time 1s -- sleep 20`:                                                                                     {124, "--time 1s was over"},
		`hatchctl run --output 1KiB -- yes`:                                                                                      {121, "1KiB"},
		`hatchctl run -- sh -c 'kill -9 $$'`:                                                                                     {137, ""},
		`ulimit -n 512; ulimit -d 900000; hatchctl run --memory 1GiB -- sh -c 'ulimit -n; ulimit -d'`:                            {0, "512\n900000\n"},
		`echo in | hatchctl run -- cat`:                                                                                          {0, "in"},
		`S=the-value hatchctl run --secret S -- cat /run/secrets/S`:                                                              {0, "the-value"},
		`unset XDG_RUNTIME_DIR; hatchctl run -- echo without`:                                                                    {0, "without"},
		`hatchctl run --rw ~ -- true`:                                                                                            {125, "keeps its own state"},
		`hatchctl run --rw . --overlay --name o -- sh -c 'echo new >README'; cat README; hatchctl run apply o; cat README`:       {0, "read me\nnew\n"},
	} {
		if out, errs, code := o.sh(t, script); code != want.code || !strings.Contains(out+errs, want.out) {
			t.Errorf("%s: %d\n%s%s", script, code, out, errs)
		}
	}
}

// ownGroups are control groups of version 1 that belong to the user, none where
// those of the host are of version 2.
func ownGroups(t *testing.T) (own []string) {
	t.Helper()
	for line := range strings.Lines(read(t, "/proc/self/cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if f[1] == "" || strings.HasPrefix(f[1], "name=") {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			dir := filepath.Join("/sys/fs/cgroup", c, "hatchdog-it-own-"+strconv.Itoa(os.Getpid()))
			must(t, os.Mkdir(dir, 0o755))
			t.Cleanup(func() { must(t, os.Remove(dir)) })
			for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
				if c == "cpuset" {
					must(t, os.WriteFile(filepath.Join(dir, name), []byte(read(t, "/sys/fs/cgroup/cpuset/"+name)), 0))
				}
			}
			must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
				if err != nil {
					return err
				}
				return os.Chown(path, someUser, someUser)
			}))
			own = append(own, dir)
		}
	}
	return own
}

// Control groups that were given to the user hold its boxes as root's are held.
func TestBoxOfAnOrdinaryUserInItsOwnControlGroups(t *testing.T) {
	own := ownGroups(t)
	if len(own) == 0 {
		t.Skip("the limits are in control groups of version 2, of which nothing here is set aside for a user")
	}
	o := newOrdinary(t, true)
	cmd, out, errs := o.command(`hatchctl run --memory 64MiB -- sh -c 'ulimit -d; cat /proc/self/cgroup; exec python3 -c "bytearray(200<<20)"'`)
	cmd.Env = append(cmd.Env, "GROUPS_V1="+strings.Join(own, " "))
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 122 || !strings.Contains(out.String(), "unlimited") || !strings.Contains(errs.String(), "more memory than 64MiB") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
}

// The network rules hold for an ordinary user's box with a way out.
func TestBoxOfAnOrdinaryUserReachesWhatIsListedAlone(t *testing.T) {
	o := newOrdinary(t, true)
	const serve = `(cd /tmp && exec python3 -m http.server 8080 >/dev/null 2>&1) & trap "kill $!" EXIT
for i in 1 2 3 4 5 6 7 8 9; do python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8080))' 2>/dev/null && break; sleep 0.3; done
`
	const all = " --ro ~/reach.py -- python3 ~/reach.py 192.0.2.1:8080 192.0.2.1:8081 169.254.169.254:8080 10.0.2.2:8080 127.0.0.1:8080"
	for flags, want := range map[string]string{
		"--allow 192.0.2.1:8080/tcp": "192.0.2.1:8080 HTTP/1.0 200\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\n",
		"--allow 0.0.0.0/0":          "192.0.2.1:8080 refused\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\n",
		"":                           "192.0.2.1:8080 refused\n192.0.2.1:8081 refused\n169.254.169.254:8080 refused\n10.0.2.2:8080 refused\n127.0.0.1:8080 refused\n",
	} {
		if out, errs, code := o.sh(t, serve+"hatchctl run "+flags+all); out != want || code != 0 {
			t.Errorf("%s: %d\n%s\nwant\n%s\n%s", flags, code, out, want, errs)
		}
	}
	if out, errs, code := o.sh(t, `PATH=$(dirname "$(command -v hatchctl)"); hatchctl run --allow 192.0.2.1:80 -- true`); code != 125 || !strings.Contains(errs, "apt-get install slirp4netns") {
		t.Errorf("without slirp4netns: %d %s%s", code, out, errs)
	}
}

// Names are asked for and opened as for root's boxes.
func TestBoxOfAnOrdinaryUserReachesNames(t *testing.T) {
	o := newOrdinary(t, true)
	must(t, os.WriteFile(o.dir+"/home/work/ask.py", []byte(askNames), 0o644))
	out, errs, asked := newBoxed(t).far(t, `sh -c "$AS"`, "AS="+asOrdinary, "WIRED=yes", "D="+o.dir,
		"SCRIPT=hatchctl run --allow shop.example.org:8080 -- python3 ask.py shop.example.org:8080 shop.example.org:443 cdn.example.org:8080 93.184.216.35:8080; pgrep -u 54321 -a hatchdog")
	if out != "shop.example.org:8080 200\nshop.example.org:443 refused\ncdn.example.org:8080 no name\n93.184.216.35:8080 refused\n" || strings.Contains(asked, "cdn") {
		t.Errorf("%s%s\n%s", out, errs, asked)
	}
}

// A box ends with the hatchctl that was called, whatever ends that.
func TestBoxOfAnOrdinaryUserEndsWithItsCaller(t *testing.T) {
	o := newOrdinary(t, true)
	out, errs, code := o.sh(t, `hatchctl run -- sh -c 'trap "echo heard; exit 9" TERM; echo up; while :; do sleep 0.1; done' >~/out & pid=$!
for i in $(seq 100); do grep -q up ~/out && break; sleep 0.1; done; kill -TERM $pid; wait $pid; echo $?; cat ~/out
hatchctl run --name killed -- sleep 7654323 & pid=$!
for i in $(seq 100); do pgrep -f 'sleep 7654323' | grep -q . && [ -e "$XDG_RUNTIME_DIR/hatchdog-run/runtime/killed/state.json" ] && break; sleep 0.1; done
sleep 0.5; kill -KILL $pid; wait $pid; sleep 0.5; hatchctl run -- true; ls "$XDG_RUNTIME_DIR"/hatchdog-run/*`)
	if !strings.HasPrefix(out, "9\nup\nheard\n") || strings.Contains(out, "killed") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	for range 50 {
		if running("7654323") == "" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if left := running("7654323"); left != "" {
		t.Error(left)
	}
}
