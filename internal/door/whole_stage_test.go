package door

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/idrange"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// stage is a piece of a host, on a file system of its own, on which requests are
// played.
type stage struct {
	dir      string // its own file system
	at       string // where the host of one request is
	policies []*policy.Policy
}

// answers is a low-level runtime that only speaks of itself.
const answers = `#!/bin/sh
case "$1" in
--version) echo "runc version 1.5.2" ;;
features) echo '{"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0","hooks":["prestart","createRuntime","createContainer","startContainer","poststart","poststop"],"mountOptions":["rro","rnosuid","rnodev","rnoexec","ro","bind","rbind"],"linux":{"namespaces":["cgroup","ipc","mount","network","pid","time","user","uts"],"seccomp":{"enabled":true,"actions":["SCMP_ACT_ERRNO","SCMP_ACT_ALLOW","SCMP_ACT_KILL_PROCESS"],"operators":["SCMP_CMP_EQ","SCMP_CMP_MASKED_EQ"],"archs":["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64"]}},"annotations":{"org.opencontainers.runc.version":"1.5.2"},"potentiallyUnsafeConfigAnnotations":["bundle","org.systemd.property.","org.criu.config"]}' ;;
*) exit 1 ;;
esac
`

func newStage(tb testing.TB) *stage {
	tb.Helper()
	dir, err := os.MkdirTemp("", "hatchdog-stage-")
	ok(tb, err)
	ok(tb, unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""))
	ok(tb, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"))
	tb.Cleanup(func() { ok(tb, errors.Join(unix.Unmount(dir, unix.MNT_DETACH), os.Remove(dir))) })
	s := &stage{dir: dir, at: dir + "/w"}
	ok(tb, os.WriteFile(dir+"/runc", []byte(answers), 0o755))
	for i, more := range []string{
		`userns: {mode: "off"}`, "userns: {mode: auto}", `userns: {mode: "off"}, onExcess: {mounts: tighten}`,
	} {
		file := fmt.Sprintf("%s/policy%d.yaml", dir, i)
		ok(tb, os.WriteFile(file, []byte(s.policy(more)), 0o600))
		pol, err := policy.LoadFile(file)
		ok(tb, err)
		s.policies = append(s.policies, pol)
	}
	return s
}

// policy protects a part of the host of each request, and opens a part of that.
func (s *stage) policy(more string) string {
	return strings.NewReplacer("W", s.at, "DIR", s.dir).Replace(`version: 1
profile: asked
runtime: {path: DIR/runc}
stateDir: W/state
ids: {dir: W/ids}
audit: {path: W/audit/log}
profiles:
  asked:
    extends: builtin/restricted
    mounts:
      protect:
        - inherited
        - {path: W/host/secret, access: none, reason: keys}
        - {path: W/host/programs, access: ro, reason: programs}
      allow:
        - inherited
        - {path: W/host/secret/lent, access: rw}
    hooks: {allow: [W/host/programs/hook]}
    ` + strings.ReplaceAll(more, ", ", "\n    ") + "\n")
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// outcome is how a request came out.
type outcome struct {
	started bool // the low-level runtime would be
	changed bool // somebody changed something meanwhile
	wrong   []string
}

func (o *outcome) errorf(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

// run plays a request. It has a thread of its own, which ends with it: the
// private mount namespace goes with the thread.
func (s *stage) run(r *rapid.T, q *played) outcome {
	var o outcome
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		s.play(q, &o)
	}()
	<-done
	if len(o.wrong) > 0 {
		r.Fatalf("%s\n%s", strings.Join(o.wrong, "\n"), q)
	}
	return o
}

func (s *stage) play(q *played, o *outcome) {
	h, err := s.build(q)
	defer h.remove()
	if err != nil {
		o.errorf("the stage: %v", err)
		return
	}
	before := descriptors()
	c, err := s.creation(q)
	if err != nil {
		return // the command line is not even read
	}
	c.w.Step = func(step string) error {
		if q.change(h, step) {
			o.changed = true
		}
		return nil
	}
	_ = c.w.at("")
	done, err := c.enforce()
	o.started = err == nil
	if o.started {
		h.judge(done, o)
	}
	if err := c.undo(errors.Join(err, errPlayed)); err != nil {
		o.errorf("undo: %v", err)
	}
	s.wantNothingLeft(c, before, o)
}

var errPlayed = errors.New("the play is over")

func (s *stage) creation(q *played) (*creation, error) {
	pol := s.policies[q.policy]
	w := World{Getenv: func(string) string { return "" }, Stdout: io.Discard, Stderr: io.Discard, Stdin: strings.NewReader(""), Now: time.Now}
	call, err := argv.Parse([]string{"hatchdog", "--root", s.at + "/root", "create", "--bundle", s.path(q.bundle), "c1"}, w.ownDir, w.Getenv)
	if err != nil {
		return nil, err
	}
	return &creation{w: w, call: call, root: s.at + "/root", pol: pol, store: decision.Store{Base: pol.StateDir}}, nil
}

// path is a text of a request where W is its host.
func (s *stage) path(text string) string { return strings.ReplaceAll(text, "W", s.at) }

// wantNothingLeft is what is true of every call that started nothing.
func (s *stage) wantNothingLeft(c *creation, descriptorsBefore int, o *outcome) {
	if entries, err := c.store.List(); err != nil || len(entries) > 0 {
		o.errorf("records are left: %d, %v", len(entries), err)
	}
	held, err := idStore(c.pol).Held()
	// A lost file is made of what the host's processes have: those of others.
	held = slices.DeleteFunc(held, func(r idrange.Range) bool { return len(r.Holders) == 0 })
	if err != nil || len(held) > 0 {
		o.errorf("ids are left: %v, %v", held, err)
	}
	if n := descriptors(); n > descriptorsBefore {
		o.errorf("%d descriptors are left", n-descriptorsBefore)
	}
}

func descriptors() int {
	all, _ := os.ReadDir("/proc/self/fd")
	return len(all)
}

// identity tells files apart.
type identity struct{ dev, ino uint64 }

func identify(st *syscall.Stat_t) identity { return identity{st.Dev, st.Ino} }

func lstat(path string) (identity, os.FileMode, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return identity{}, 0, err
	}
	return identify(info.Sys().(*syscall.Stat_t)), info.Mode(), nil
}
