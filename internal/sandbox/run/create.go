package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
)

// ours are variables that are not handed on to hatchdog. By the last four a service
// manager talks to its service: runc would hand that line into the box.
var ours = []string{"HATCHDOG_POLICY", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}

// call is a call of hatchdog under the policy of this run.
func (b *box) call(args ...string) *exec.Cmd {
	cmd := exec.Command(b.Hatchdog, append([]string{"--root", b.Places.Runtime}, args...)...)
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); !slices.Contains(ours, name) {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "HATCHDOG_POLICY="+strings.Join(append([]string{b.place.path("policy.yaml")}, b.Policy...), ":"))
	return cmd
}

func (b *box) create() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	b.line = os.NewFile(uintptr(pair[0]), "line")
	theirs := os.NewFile(uintptr(pair[1]), "line")
	defer theirs.Close()
	cmd := b.call("create", "--bundle", b.place.dir, "--pid-file", b.place.path("pid"), "--preserve-fds", "1")
	if b.streams, err = open(b.Box.Terminal, b.place.path("console")); err != nil {
		return err
	}
	cmd.Args = append(append(cmd.Args, b.streams.flags...), b.Box.ID)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = b.streams.stdin, b.streams.stdout, b.streams.stderr
	cmd.ExtraFiles = []*os.File{theirs}
	b.created = true
	err = cmd.Run()
	b.streams.handedOver()
	if err != nil {
		if said := b.streams.said(); said != "" {
			return errors.New(said)
		}
		return fmt.Errorf("hatchdog create: %w", err)
	}
	data, err := os.ReadFile(b.place.path("pid"))
	if err != nil {
		return err
	}
	if b.pid, err = strconv.Atoi(strings.TrimSpace(string(data))); err != nil {
		return fmt.Errorf("pid: %w", err)
	}
	if b.pidfd, err = unix.PidfdOpen(b.pid, 0); err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	if !b.Box.Alone || len(b.Box.Held) > 0 { // else it has ours
		b.groups, err = groups(b.pid)
	}
	return err
}

var errNoRules = errors.New("the box has a way out, and no network rules")

func (b *box) start() error {
	var said bytes.Buffer
	cmd := b.call("start", b.Box.ID)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hatchdog start: %w: %s", err, strings.TrimSpace(said.String()))
	}
	if b.way != nil {
		// They are there since start: with a way out, nothing runs without them.
		if r, err := firewall.Read(b.net); err != nil || len(r.Layers) == 0 {
			return errors.Join(errNoRules, err)
		}
	}
	if err := b.streams.attach(b.Stdin); err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return json.NewEncoder(b.line).Encode(order{Secrets: b.Secrets, Data: b.Box.Data()})
}
