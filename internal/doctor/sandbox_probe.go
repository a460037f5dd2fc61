package doctor

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
	"github.com/hatchdog/hatchdog/internal/sandbox/run/enter"
)

// ProbeSandbox looks at this host as the user that we are. place is of the
// directories that boxes are kept in.
func ProbeSandbox(pol *policy.Policy, polErr, place error, getenv func(string) string) Sandbox {
	s := Sandbox{
		User: owner.User(), UserNamespaces: tryMounts(), Policy: polErr, Place: place, Runtimes: lowlevels(pol, getenv),
		Clone: setting("kernel/unprivileged_userns_clone"), Most: setting("user/max_user_namespaces"), Restricted: setting("kernel/apparmor_restrict_unprivileged_userns"),
		Filtered: filtered(), Masked: overProc(), Held: host.Beside("/"),
	}
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	s.CgroupV2 = err == nil
	if s.User == 0 {
		s.Held = held()
	}
	_, err = exec.LookPath("slirp4netns")
	s.WayOut, s.Tun = err == nil, run.CanTun()
	for _, name := range []string{"newuidmap", "newgidmap"} {
		if _, err := enter.Mapper(name); err != nil {
			s.Mappers = append(s.Mappers, name)
		}
	}
	name := enter.Name(s.User)
	_, users := enter.Subordinate("/etc/subuid", s.User, name)
	_, groups := enter.Subordinate("/etc/subgid", s.User, name)
	s.SubordinateIDs = users && groups || os.Geteuid() == 0 && owner.Others()
	return s
}

func held() []string {
	facts, sources, err := probeNothing()
	if err != nil {
		return nil
	}
	sources.Close()
	return facts.Cgroup.Controllers
}

func setting(name string) string {
	text, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// tryMounts starts a program in a user namespace that may make mounts there: where
// AppArmor restricts them, they can be made and give no capability.
func tryMounts() Answer {
	cmd := exec.Command("/proc/self/exe", "--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, Unshareflags: syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	return Answer{Yes: cmd.Run() == nil}
}

// filtered reports a filter of system calls (proc(5), Seccomp).
func filtered() bool {
	text, err := os.ReadFile("/proc/self/status")
	return err == nil && strings.Contains(string(text), "\nSeccomp:\t2\n")
}

// overProc are mounts below /proc that hide something: what is mounted on an empty
// directory of the kernel's own (binfmt_misc) hides nothing.
func overProc() []string {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && strings.HasPrefix(fields[4], "/proc/") && fields[4] != "/proc/sys/fs/binfmt_misc" && fields[4] != "/proc/fs/nfsd" {
			all = append(all, fields[4])
		}
	}
	return all
}
