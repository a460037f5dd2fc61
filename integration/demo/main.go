// Command demo runs the same curious program under runc and under hatchdog, and
// prints side by side what each could do.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

type demo struct{ dir, hatchdog, hatchctl, runc string }

type finding struct{ What, Result string }

func main() {
	bin := flag.String("bin", "bin", "where hatchdog and hatchctl are")
	runc := flag.String("runc", "runc", "the low-level runtime")
	flag.Parse()
	if err := show(*bin, *runc); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func show(bin, runc string) error {
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
	d := demo{dir, filepath.Join(bin, "hatchdog"), filepath.Join(bin, "hatchctl"), runc}
	if err := d.prepare(); err != nil {
		return err
	}
	fmt.Println("What the same program can do in the same container, as Docker asks for it, under runc and under hatchdog:")
	plain, err := d.run(d.runc)
	if err != nil {
		return fmt.Errorf("under runc: %w", err)
	}
	held, err := d.run(d.hatchdog)
	if err != nil {
		return fmt.Errorf("under hatchdog: %w", err)
	}
	compare(plain, held)
	fmt.Print("\n$ hatchctl explain demo-hatchdog\n\n")
	if err := d.ctl("explain", "demo-hatchdog"); err != nil {
		return err
	}
	return d.refused()
}

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
	var out, errs bytes.Buffer
	cmd := exec.Command(runtime, "--root", d.path("root"), "run", "--bundle", d.path("bundle"), "demo-"+filepath.Base(runtime))
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, errs.String())
	}
	var found []finding
	return found, json.Unmarshal(out.Bytes(), &found)
}

func (d demo) ctl(args ...string) error {
	cmd := exec.Command(d.hatchctl, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// refused asks for what is not taken away silently, as it would change what was
// asked for.
func (d demo) refused() error {
	l, err := net.Listen("unix", d.path("engine.sock"))
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	fmt.Println("\nWhat would change the meaning of a request is not taken away silently: it is refused, with the reason.")
	for _, ask := range []struct {
		option, id string
		edit       func(*specs.Spec)
	}{
		{"-v /run/engine.sock:/run/engine.sock", "demo-socket", func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/run/engine.sock", Type: "bind", Source: d.path("engine.sock"), Options: []string{"rbind"}})
		}},
		{"--pid=host", "demo-pid", func(s *specs.Spec) {
			s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.PIDNamespace })
		}},
	} {
		if err := d.spec(ask.edit); err != nil {
			return err
		}
		fmt.Printf("\nAs docker run %s asks for it:\n", ask.option)
		cmd := exec.Command(d.hatchdog, "--root", d.path("root"), "run", "--bundle", d.path("bundle"), ask.id)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) {
			return fmt.Errorf("%s was not refused: %w", ask.option, err)
		}
		fmt.Println(strings.Join(wrap(out.String(), ruleWidth), "\n"))
	}
	fmt.Println("\nThe containers are gone, and nothing of them is left on the host. README.md says how to put hatchdog under Docker or containerd.")
	return nil
}
