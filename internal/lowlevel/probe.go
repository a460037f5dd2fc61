package lowlevel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	json "github.com/go-json-experiment/json/v1"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// patience is how long the low-level runtime may take to speak of itself.
const patience = 5 * time.Second

// maxAnswer is the longest answer taken, in bytes. runc's features have 13 KiB.
const maxAnswer = 1 << 20

// identity tells one content of one file.
type identity struct {
	Dev, Ino     uint64
	Size         int64
	Mtime, Ctime int64 // ns
}

type cached struct {
	Path     string
	Identity identity
	Runtime  host.Runtime
}

// Probe asks the low-level runtime at path what it is. The answer is kept in
// cacheDir for as long as the file is the same.
func Probe(path, cacheDir string) (host.Runtime, error) { return probe(path, cacheDir, patience) }

func probe(path, cacheDir string, patience time.Duration) (host.Runtime, error) {
	id, err := identify(path)
	if err != nil {
		return host.Runtime{}, fmt.Errorf("low-level runtime: %w", err)
	}
	file := filepath.Join(cacheDir, strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")+".json")
	if rt, ok := load(file, path, id); ok {
		return rt, nil
	}
	rt, err := ask(path, patience)
	if err != nil {
		return host.Runtime{}, fmt.Errorf("low-level runtime %s: %w", path, err)
	}
	if again, err := identify(path); err == nil && again == id {
		store(file, cached{path, id, rt})
	}
	return rt, nil
}

func identify(path string) (identity, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return identity{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return identity{st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, nil
}

func load(file, path string, id identity) (host.Runtime, bool) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return host.Runtime{}, false
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return host.Runtime{}, false
	}
	data, err := io.ReadAll(io.LimitReader(f, maxAnswer))
	if err != nil {
		return host.Runtime{}, false
	}
	var c cached
	if json.Unmarshal(data, &c) != nil || c.Path != path || c.Identity != id {
		return host.Runtime{}, false
	}
	return c.Runtime, true
}

// store keeps an answer. One that cannot be kept is asked for again.
func store(file string, c cached) {
	data, err := json.Marshal(c)
	if err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	var st unix.Stat_t
	if unix.Lstat(filepath.Dir(file), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return
	}
	tmp := fmt.Sprintf("%s.%d", file, os.Getpid())
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err != nil || cerr != nil || os.Rename(tmp, file) != nil {
		_ = os.Remove(tmp)
	}
}

var (
	errAnswer  = errors.New("its answer cannot be read")
	errTooLong = errors.New("its answer is too long")
	errHangs   = errors.New("no answer")
)

// ask runs `--version` and `features`.
func ask(path string, patience time.Duration) (host.Runtime, error) {
	text, err := run(path, "--version", patience)
	if err != nil {
		return host.Runtime{}, fmt.Errorf("--version: %w", err)
	}
	rt := host.Runtime{Path: path}
	rt.Name, rt.Version = parseVersion(string(text))
	if rt.Name == "" {
		return host.Runtime{}, fmt.Errorf("--version: %w", errAnswer)
	}
	text, err = run(path, "features", patience)
	var exit *exec.ExitError
	if errors.As(err, &exit) && beforeFeatures(rt) {
		return rt, nil // nothing that depends on a feature will be asked of it
	}
	if err != nil {
		return host.Runtime{}, fmt.Errorf("features: %w", err)
	}
	var f features.Features
	if json.Unmarshal(text, &f) != nil {
		return host.Runtime{}, fmt.Errorf("features: %w", errAnswer)
	}
	rt.MountOptions, rt.UnsafeAnnotations = f.MountOptions, f.PotentiallyUnsafeConfigAnnotations
	if f.Linux != nil {
		rt.Namespaces = f.Linux.Namespaces
	}
	return rt, nil
}

// parseVersion reads "runc version 1.1.5+ds1". A build that was not told its
// version says unknown.
func parseVersion(text string) (name, version string) {
	first, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(first)
	if len(words) < 3 || words[1] != "version" {
		return "", ""
	}
	return words[0], words[2]
}

// run takes what a short command prints. It and what it started are killed
// when it takes too long.
func run(path, arg string, patience time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, arg)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out := &limited{stop: cancel}
	cmd.Stdout = out
	err := cmd.Run()
	switch {
	case out.over:
		return nil, errTooLong
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w within %s", errHangs, patience)
	case err != nil:
		return nil, err
	}
	return out.answer.Bytes(), nil
}

// limited takes maxAnswer bytes. It has no method but Write: io.Copy would go
// past that by a buffer's ReadFrom.
type limited struct {
	answer bytes.Buffer
	over   bool
	stop   func()
}

func (l *limited) Write(p []byte) (int, error) {
	if l.answer.Len()+len(p) > maxAnswer {
		l.over = true
		l.stop()
		return 0, errTooLong
	}
	return l.answer.Write(p)
}

func stateLabels(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the low-level runtime's state: %w", err)
	}
	var state struct {
		Config struct {
			Labels []string `json:"labels"`
		} `json:"config"`
	}
	if json.Unmarshal(data, &state) != nil {
		return nil, fmt.Errorf("%s: %w", file, errAnswer)
	}
	return state.Config.Labels, nil
}
