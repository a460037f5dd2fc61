package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerd/cgroups/v3"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	effects "github.com/hatchdog/hatchdog/internal/effects/apparmor"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/policy"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

// Probe looks at this host. pol is nil where polErr says why.
func Probe(pol *policy.Policy, polErr error, getenv func(string) string) Host {
	h := Host{Policy: polErr, LSMs: readLSMs(), UserNamespaces: tryUserNamespace(), Nftables: tryNftables()}
	if pol != nil {
		h.Weak = pol.Weak()
		h.Guard = probeGuard(pol)
	}
	_, err := effects.FindParser(getenv)
	h.AppArmor = AppArmor{host.ProbeApparmor("/", profiles.Names()...), err == nil}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	facts, sources, err := probeNothing()
	if err == nil {
		sources.Close()
		h.Hybrid = cgroups.Mode() == cgroups.Hybrid
		h.CgroupV2, h.CgroupSwap, h.Controllers = facts.Cgroup.V2, facts.Cgroup.Swap, facts.Cgroup.Controllers
		h.MountSetattr = facts.Kernel.MountSetattr
	}
	if text, err := os.ReadFile("/proc/sys/kernel/seccomp/actions_avail"); err == nil {
		h.SeccompActions = strings.Fields(string(text))
	}
	h.Runtimes = lowlevels(pol, getenv)
	h.Engines = probeEngines("/")
	return h
}

// probeNothing is what create asks the host, for a container that asks for nothing.
func probeNothing() (host.Facts, *host.Sources, error) {
	return host.Probe(host.Request{Spec: &specs.Spec{}, Profile: &policy.Profile{}, Bundle: "/"})
}

func readLSMs() []string {
	text, err := os.ReadFile("/sys/kernel/security/lsm")
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), ",")
}

// tryUserNamespace starts a program in one.
func tryUserNamespace() Answer {
	cmd := exec.Command("/proc/self/exe", "--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	err := cmd.Start()
	if err != nil {
		return Answer{}
	}
	_ = cmd.Wait() // that it was started is the answer
	return Answer{Yes: true}
}

// lowlevels asks every runc and crun on PATH, and the policy's own.
func lowlevels(pol *policy.Policy, getenv func(string) string) []Runtime {
	if pol == nil {
		pol = &policy.Policy{StateDir: policy.DefaultStateDir(owner.User(), getenv)}
	}
	used, _ := lowlevel.Find(pol.Runtime, getenv)
	var paths []string
	if pol.Runtime.Path != "" {
		paths = append(paths, pol.Runtime.Path)
	}
	for _, name := range []string{"runc", "crun"} {
		for _, dir := range filepath.SplitList(getenv("PATH")) {
			if path := filepath.Join(dir, name); filepath.IsAbs(dir) && executable(path) {
				paths = append(paths, path)
			}
		}
	}
	var all []Runtime
	seen := map[string]bool{}
	for _, path := range paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		rt, err := lowlevel.Probe(path, filepath.Join(pol.StateDir, "@runtimes"))
		if err == nil {
			err = lowlevel.Vet(rt, pol.Runtime)
		}
		all = append(all, Runtime{Path: path, Name: rt.Name, Version: rt.Version, Used: path == used, Err: err})
	}
	return all
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
