package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// watchRatio is what a watch may make of the processor time of the same work.
const watchRatio = 1.02

// watching is what the watch is measured with.
type watching struct {
	hatchctl string // without it its rows are left out
	servers  string // an archive of a root file system with nginx and redis
}

// served are servers, each with a client in the same container.
var served = []struct{ name, entry, ready, load string }{
	{
		"nginx",
		`mkdir -p /var/lib/nginx /run /var/log/nginx /srv/www; chown www-data /var/lib/nginx; head -c 1000 /dev/zero >/srv/www/index.html
printf 'user www-data; worker_processes 2; events {} http { access_log off; server { listen 80; root /srv/www; } }' >/tmp/n.conf
exec nginx -c /tmp/n.conf -g 'daemon off;'`,
		"curl -so /dev/null http://127.0.0.1/",
		"curl -so /dev/null 'http://127.0.0.1/?[1-20000]'",
	},
	{
		"redis",
		"chown -R redis /var/lib/redis; cd /var/lib/redis; exec gosu redis redis-server --bind 127.0.0.1 --dir /var/lib/redis",
		"redis-cli ping",
		"redis-benchmark -q -n 40000 -c 10 -t get,set",
	},
}

// ways are how a watch runs beside: the first is none.
var ways = []struct {
	what string
	args []string
}{{"none", nil}, {"--no-calls", []string{"--no-calls"}}, {"all", []string{}}}

// watched measures what containers pay for a watch: in processor time, which another
// load of the machine changes less than the time that passes.
func (b *bench) watched() error {
	if b.watching.hatchctl == "" {
		return nil
	}
	root := b.path("servers")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("tar", "-xf", b.watching.servers, "-C", root).CombinedOutput(); err != nil {
		return fmt.Errorf("the servers: %w: %s", err, out)
	}
	for _, s := range served {
		w, err := b.serve(root, s.name, s.entry)
		if err != nil {
			return err
		}
		err = b.besideWatches(s.name+" and its client", "ms", func() (float64, error) { return w.spent(s.load) }, func() error { return w.wait(s.ready) })
		if err = errors.Join(err, w.end()); err != nil {
			return err
		}
	}
	n := 0
	return b.besideWatches("getppid in a container", "ns", func() (float64, error) {
		n++
		took, err := b.callsIn(b.wrapped(), fmt.Sprintf("watched-%d", n))
		return took["getppid"], err
	}, func() error { return nil })
}

// watchRounds is how often at most each way is measured beside all other rows: a round
// takes as long as a hundred starts.
const watchRounds = 5

// besideWatches measures with each way in turn.
func (b *bench) besideWatches(what, unit string, measure func() (float64, error), ready func() error) error {
	if err := ready(); err != nil {
		return err
	}
	got := make([][]float64, len(ways))
	rounds := b.rounds
	if !b.onlyWatch && rounds > watchRounds {
		rounds = watchRounds
		what = fmt.Sprintf("%s (%d rounds)", what, rounds)
	}
	for round := range rounds {
		for k := range ways {
			at := (round + k) % len(ways)
			stop, err := b.watch(ways[at].args)
			if err != nil {
				return err
			}
			n, err := measure()
			if err = errors.Join(err, stop()); err != nil {
				return err
			}
			got[at] = append(got[at], n)
		}
	}
	for at := 1; at < len(ways); at++ {
		b.row(row{what: fmt.Sprintf("%s, no watch against %s", what, ways[at].what), of: pairs{got[0], got[at]}, unit: unit, ratio: watchRatio})
	}
	return nil
}

// watch starts one, and returns when it watches.
func (b *bench) watch(args []string) (stop func() error, err error) {
	if args == nil {
		return func() error { return nil }, nil
	}
	cmd := exec.CommandContext(b.ctx, b.watching.hatchctl, append([]string{"watch", "--json"}, args...)...)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+b.wrapped().policy)
	errs, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said := bufio.NewReader(errs)
	line, err := said.ReadString('\n')
	go func() { _, _ = io.Copy(io.Discard, said) }()
	stop = func() error {
		_ = cmd.Process.Signal(unix.SIGTERM)
		return cmd.Wait()
	}
	if err != nil || !strings.Contains(line, "are watched") {
		return nil, errors.Join(fmt.Errorf("watch: %q", line), err, stop())
	}
	return stop, nil
}

// server is a container that does the work it is told.
type server struct {
	b   *bench
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	cpu string
	per float64 // units of its control group's processor time in a millisecond
}

func (b *bench) serve(root, name, entry string) (*server, error) {
	id := "watched-" + name
	raw, err := b.asked(id, "/bin/sh", "-c", "("+entry+") >/dev/null 2>&1 </dev/null & while read -r line; do sh -c \"$line\" >/dev/null 2>&1; echo $?; done")
	if err != nil {
		return nil, err
	}
	var spec specs.Spec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, err
	}
	spec.Root.Path = root
	if raw, err = json.Marshal(&spec); err != nil {
		return nil, err
	}
	if err := b.bundle(id, raw); err != nil {
		return nil, err
	}
	s := &server{b: b, cmd: exec.Command(b.hatchdog, b.args("run", "--bundle", b.path("bundles", id), id)...)}
	s.cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+b.wrapped().policy)
	s.cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.do("true"); err != nil {
		return nil, errors.Join(err, s.end())
	}
	s.cpu, s.per = "/sys/fs/cgroup/cpuacct"+b.cgroup(id)+"/cpuacct.usage", 1e6
	if _, err := os.Stat(s.cpu); err != nil {
		s.cpu, s.per = "/sys/fs/cgroup"+b.cgroup(id)+"/cpu.stat", 1e3
	}
	return s, nil
}

// do runs a command in the container, by a shell that is there already.
func (s *server) do(command string) error {
	if err := s.b.ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if _, err := io.WriteString(s.in, command+"\n"); err != nil {
		return err
	}
	code, err := s.out.ReadString('\n')
	if err != nil || code != "0\n" {
		return errors.Join(fmt.Errorf("%s: exit code %q", command, code), err)
	}
	return nil
}

// wait asks until the server answers.
func (s *server) wait(command string) error {
	return s.do("for i in $(seq 600); do " + command + " && exit 0; sleep 0.1; done; exit 1")
}

// spent is the processor time of the container for a command, in ms.
func (s *server) spent(command string) (float64, error) {
	before, err := s.used()
	if err != nil {
		return 0, err
	}
	if err := s.do(command); err != nil {
		return 0, err
	}
	after, err := s.used()
	return after - before, err
}

func (s *server) used() (float64, error) {
	raw, err := os.ReadFile(s.cpu)
	if err != nil {
		return 0, err
	}
	number := strings.TrimSpace(strings.TrimPrefix(string(raw), "usage_usec "))
	number, _, _ = strings.Cut(number, "\n")
	n, err := strconv.ParseFloat(number, 64)
	return n / s.per, err
}

// end ends the container: its shell reads no more, and all ends with it.
func (s *server) end() error {
	_ = s.in.Close()
	return s.cmd.Wait()
}
