package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
)

// request is what the flags ask for.
func (o *options) request(f *runFlags, args []string) (*run.Request, error) {
	p, err := o.policy()
	if err != nil {
		return nil, err
	}
	if p.Mode == policy.Complain {
		return nil, errComplain
	}
	r := &run.Request{Profile: "builtin/sandbox", Overlay: f.overlay, State: p.StateDir, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if p.Profiles[sandbox.Own] != nil {
		r.Profile = sandbox.Own
	}
	if r.Policy, err = absolute(p.Files); err != nil {
		return nil, err
	}
	if r.Hatchdog, err = besideUs("hatchdog"); err != nil {
		return nil, err
	}
	if err = o.place(f, r, p); err != nil {
		return nil, err
	}
	who, err := caller(os.Getenv)
	if err != nil {
		return nil, err
	}
	r.Homes = who.homes
	b := &r.Box
	b.Args, b.UID, b.GID, b.Exec, b.System = args, who.uid, who.gid, f.exec, run.Host()
	if b.Init, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.Init, err = filepath.EvalSymlinks(b.Init); err != nil {
		return nil, err
	}
	if err := f.limits(&b.Limits); err != nil {
		return nil, err
	}
	if b.ID, err = f.id(args[0]); err != nil {
		return nil, err
	}
	if b.Allow, err = allowed(f.allow, f.registries); err != nil {
		return nil, err
	}
	if f.learn && wayOut() {
		b.Allow = append(b.Allow, learnName)
	}
	if err := f.grants(b, who, p.Profiles[r.Profile].Mounts); err != nil {
		return nil, err
	}
	if err := f.narrowed(r); err != nil {
		return nil, err
	}
	if b.Env, err = sandbox.Environ(os.Environ(), f.env, append(f.set, "PWD="+b.Workdir()), b.Sees); err != nil {
		return nil, err
	}
	b.Terminal = isTerminal(0) && isTerminal(1)
	r.Secrets, err = secrets(f.secret, os.LookupEnv)
	return r, err
}

// narrowed takes from what was granted what the repository and who started us say.
func (f *runFlags) narrowed(r *run.Request) error {
	if err := f.from(&r.Box, r.Places.Known, &r.Overlay, os.Stdin, os.Stderr); err != nil {
		return err
	}
	if err := f.narrow(&r.Box, &r.Overlay); err != nil {
		return fmt.Errorf("--narrow-fd %s: %w", f.narrowFd, err)
	}
	return f.start(&r.Box)
}

// place says where the box is kept and who holds it.
func (o *options) place(f *runFlags, r *run.Request, p *policy.Policy) (err error) {
	if r.Places, err = f.places(); err != nil {
		return err
	}
	if err := r.Places.Make(o.entered); err != nil {
		return err
	}
	if r.Box.Alone = owner.User() != 0; r.Box.Alone {
		r.Box.Held = host.Beside("/")
		if r.Box.Most, err = hardLimits(); err != nil {
			return err
		}
	}
	r.Box.Own, err = own(r.Places, p)
	return err
}

func hardLimits() (map[string]uint64, error) {
	all := map[string]uint64{}
	for name, kind := range map[string]int{"RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_DATA": unix.RLIMIT_DATA} {
		var r unix.Rlimit
		if err := unix.Getrlimit(kind, &r); err != nil {
			return nil, fmt.Errorf("getrlimit: %w", err)
		}
		all[name] = r.Max
	}
	return all, nil
}

// own are the directories that no grant may reach: what is kept there is believed.
func own(places run.Places, p *policy.Policy) ([]string, error) {
	var all []string
	for _, dir := range append(places.All(), p.StateDir, filepath.Dir(p.Audit.Path)) {
		real, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, fs.ErrNotExist) {
			real, err = dir, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, real)
	}
	return all, nil
}

// usePreset sets what no flag was given for.
func (f *runFlags) usePreset(given func(flag string) bool) error {
	p, err := sandbox.LoadPreset(f.preset)
	if err != nil {
		return err
	}
	f.set, f.registries = p.Variables(os.Environ()), p.Registries
	for _, s := range []struct {
		flag, value string
		to          *string
	}{{"memory", p.Memory, &f.memory}, {"output", p.Output, &f.output}, {"tmp", p.Tmp, &f.tmp}} {
		if s.value != "" && !given(s.flag) {
			*s.to = s.value
		}
	}
	if p.Pids > 0 && !given("pids") {
		f.pids = p.Pids
	}
	if p.CPU > 0 && !given("cpu") {
		f.cpu = p.CPU
	}
	if p.Time > 0 && !given("time") {
		f.time = p.Time
	}
	f.exec = f.exec || p.Exec && !given("exec")
	return nil
}

func (f *runFlags) limits(l *sandbox.Limits) error {
	l.Pids, l.CPU, l.Time = f.pids, f.cpu, f.time
	if f.pids < 8 || f.cpu < 0.01 || f.time < 0 {
		return errors.New("--pids is 8 at least, --cpu 0.01, --time 0")
	}
	for _, s := range []struct {
		flag, text string
		to         *int64
		least      int64
	}{{"memory", f.memory, &l.Memory, 16 << 20}, {"output", f.output, &l.Output, 0}, {"tmp", f.tmp, &l.Tmp, 1 << 16}} {
		n, err := units.RAMInBytes(s.text)
		if err != nil || n < s.least {
			return fmt.Errorf("--%s %q is not a size of %s or more (as 512MiB)", s.flag, s.text, units.BytesSize(float64(s.least)))
		}
		*s.to = n
	}
	return nil
}

// id is one that is a name in every place that knows it.
func (f *runFlags) id(command string) (string, error) {
	if f.name != "" {
		if strings.Trim(f.name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" || len(f.name) > 60 || f.name[0] == '-' {
			return "", fmt.Errorf("--name %q: letters, digits and - alone, 60 at most", f.name)
		}
		return f.name, nil
	}
	word := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(filepath.Base(command)))
	var some [4]byte
	if _, err := rand.Read(some[:]); err != nil {
		return "", err
	}
	return "run-" + word[:min(len(word), 20)] + "-" + hex.EncodeToString(some[:]), nil
}

// besideUs finds a program in our own directory, then on the PATH.
func besideUs(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		return "", err
	}
	at := filepath.Join(filepath.Dir(self), name)
	if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
		return at, nil
	}
	return "", fmt.Errorf("%s is not beside hatchctl (%s): install both into one directory", name, at)
}

func absolute(files []string) ([]string, error) {
	all := make([]string, 0, len(files))
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		if strings.Contains(abs, ":") {
			return nil, fmt.Errorf("%s: the path of a policy file must not have a colon", abs)
		}
		all = append(all, abs)
	}
	return all, nil
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// secrets are read once, and taken out of what we hand on.
func secrets(names []string, lookup func(string) (string, bool)) (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, name := range names {
		value, ok := lookup(name)
		if !ok {
			return nil, fmt.Errorf("--secret %s: it is not set here", name)
		}
		if name == "" || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
			return nil, errors.New("--secret takes the name of a variable")
		}
		all[name] = []byte(value)
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}
