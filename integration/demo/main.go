// Command demo runs the same curious program under runc and under hatchdog, and
// prints side by side what each could do.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

type demo struct {
	dir, hatchdog, hatchctl, runc string
	cloud                         *cloud
}

type finding struct{ What, Result string }

func main() {
	bin := flag.String("bin", "bin", "where hatchdog and hatchctl are")
	runc := flag.String("runc", "runc", "the low-level runtime")
	svg := flag.String("svg", "", "write a picture of the table to this file")
	flag.Parse()
	if err := show(*bin, *runc, *svg); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func show(bin, runc, svg string) error {
	if os.Geteuid() != 0 {
		return errors.New("containers need root: run it as root")
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hatchdog-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // the container's user passes through
		return err
	}
	d := demo{dir: dir, hatchdog: filepath.Join(bin, "hatchdog"), hatchctl: filepath.Join(bin, "hatchctl"), runc: runc}
	if err := d.prepare(); err != nil {
		return err
	}
	d.cloud, err = newCloud(dir)
	defer d.cloud.close()
	if err != nil {
		return err
	}
	fmt.Println("\nOne program, in the container that Docker asks for, under runc and under hatchdog:")
	plain, err := d.run(d.runc)
	if err != nil {
		return fmt.Errorf("under runc: %w", err)
	}
	held, err := d.run(d.hatchdog)
	if err != nil {
		return fmt.Errorf("under hatchdog: %w", err)
	}
	table, err := compare(plain, held)
	if err != nil {
		return err
	}
	fmt.Print(table)
	if svg != "" {
		if err := os.WriteFile(svg, picture(table), 0o644); err != nil {
			return err
		}
	}
	fmt.Print("\n$ hatchctl explain demo-hatchdog\n")
	if err := d.explain(); err != nil {
		return err
	}
	if err := d.refused(); err != nil {
		return err
	}
	fmt.Print(tryIt)
	return nil
}

const tryIt = `
Nothing is left on the host. Try it under your Docker:
  install bin/hatchdog bin/hatchctl /usr/local/bin/ && hatchctl install docker && systemctl reload docker
  docker run --rm --runtime=hatchdog alpine id
`

// prepare makes the policy and the root file system.
func (d demo) prepare() error {
	policy := fmt.Sprintf("version: 1\nstateDir: %s/state\naudit: {path: %s/log/audit.jsonl}\nruntime: {path: %s}\n", d.dir, d.dir, d.runc)
	if err := os.WriteFile(d.path("policy.yaml"), []byte(policy), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("HATCHDOG_POLICY", d.path("policy.yaml")); err != nil {
		return err
	}
	for _, sub := range []string{"bin", "suid", "proc", "sys", "dev", "tmp", "etc"} {
		if err := os.MkdirAll(d.path("bundle/rootfs/"+sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(d.path("bundle/rootfs/tmp"), 0o1777|os.ModeSticky); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", d.path("bundle/rootfs/bin/curious"), "./integration/curious")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./integration/curious: %w: %s", err, out)
	}
	program, err := os.ReadFile(d.path("bundle/rootfs/bin/curious"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.path("bundle/rootfs/suid/curious"), program, 0o755); err != nil {
		return err
	}
	return os.Chmod(d.path("bundle/rootfs/suid/curious"), 0o755|os.ModeSetuid)
}

func (d demo) path(name string) string { return filepath.Join(d.dir, name) }

// spec writes Docker's spec with our program in it.
func (d demo) spec(edit func(*specs.Spec)) error {
	raw, err := os.ReadFile("integration/testdata/specs/docker-default.json")
	if err != nil {
		return err
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	s.Process.Args = []string{"/bin/curious"}
	s.Process.Terminal = false
	s.Process.Env = append(s.Process.Env, "HOST_NAMESPACES="+hostNamespaces())
	s.Root.Path = "rootfs"
	s.Hooks = nil // Docker's network hook needs Docker
	s.Linux.CgroupsPath = "/hatchdog-demo-" + filepath.Base(d.dir)
	var mounts []specs.Mount
	for _, m := range s.Mounts {
		if !strings.HasPrefix(m.Destination, "/etc/") {
			mounts = append(mounts, m)
		}
	}
	s.Mounts = mounts
	if edit != nil {
		edit(&s)
	}
	out, err := json.Marshal(&s)
	if err != nil {
		return err
	}
	return os.WriteFile(d.path("bundle/config.json"), out, 0o600)
}

func hostNamespaces() string {
	var all []string
	for _, n := range []string{"pid", "net", "mnt", "ipc", "uts", "cgroup", "time"} {
		if id, err := os.Readlink("/proc/self/ns/" + n); err == nil {
			all = append(all, n+"="+id)
		}
	}
	return strings.Join(all, " ")
}

func (d demo) run(runtime string) ([]finding, error) {
	if err := d.spec(nil); err != nil {
		return nil, err
	}
	id := "demo-" + filepath.Base(runtime)
	out, err := os.Create(d.path(id + ".out")) //nolint:forbidigo // in a folder of our own; a pipe would stay open in the container
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	call := func(args ...string) error {
		cmd := exec.Command(runtime, append([]string{"--root", d.path("root")}, args...)...)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			said, _ := os.ReadFile(out.Name())
			return fmt.Errorf("%s: %w: %s", args[0], err, said)
		}
		return nil
	}
	if err := call("create", "--pid-file", d.path("pid"), "--bundle", d.path("bundle"), id); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(d.path("pid"))
	pid, perr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err = errors.Join(err, perr); err == nil {
		err = d.cloud.connect(pid)
	}
	if err == nil {
		err = call("start", id)
	}
	if err == nil {
		err = ended(pid)
	}
	said, rerr := os.ReadFile(out.Name())
	if runtime == d.hatchdog { // its record says what was done to it
		var found []finding
		return found, errors.Join(err, rerr, json.Unmarshal(said, &found))
	}
	var found []finding
	return found, errors.Join(err, call("delete", "--force", id), rerr, json.Unmarshal(said, &found))
}

// ended waits for a process that is not our child.
func ended(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	const most = 20_000 // milliseconds
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, most)
	if n == 0 && err == nil {
		err = errors.New("the program does not end")
	}
	return err
}

// explain prints the first screen of what hatchctl says, then takes the container
// away.
func (d demo) explain() error {
	out, err := exec.Command(d.hatchctl, "explain", "demo-hatchdog").CombinedOutput()
	if err != nil {
		return fmt.Errorf("hatchctl explain: %w: %s", err, out)
	}
	const screen, wide, label = 16, 125, 12 // label: as in "container   "
	lines := strings.Split(string(out), "\n")
	for _, line := range lines[:min(screen, len(lines))] {
		if len(line) > wide {
			line = line[:label] + strings.Join(wrap(line[label:], ruleWidth-label), "\n"+strings.Repeat(" ", label))
		}
		fmt.Println(line)
	}
	fmt.Println("...")
	out, err = exec.Command(d.hatchdog, "--root", d.path("root"), "delete", "--force", "demo-hatchdog").CombinedOutput()
	if err != nil {
		return fmt.Errorf("delete: %w: %s", err, out)
	}
	return nil
}

// refused asks for what is not taken away silently, as it would change what was
// asked for.
func (d demo) refused() error {
	fmt.Println("\nhatchdog refuses a request whose meaning would change, as here docker run --pid=host:")
	err := d.spec(func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.PIDNamespace })
	})
	if err != nil {
		return err
	}
	out, err := exec.Command(d.hatchdog, "--root", d.path("root"), "run", "--bundle", d.path("bundle"), "demo-pid").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("--pid=host was not refused: %w", err)
	}
	fmt.Println(strings.Join(wrap(string(out), ruleWidth), "\n"))
	return nil
}
