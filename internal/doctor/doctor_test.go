package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/install"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// healthy lacks nothing.
func healthy() Host {
	return Host{
		Kernel: "6.1.0-18-amd64", LSMs: []string{"lockdown", "apparmor"}, CgroupV2: true, CgroupSwap: true,
		Controllers: []string{"cpu", "memory", "pids"}, UserNamespaces: Answer{Yes: true}, MountSetattr: true,
		AppArmor: AppArmor{host.Apparmor{Enabled: true, Modes: map[string]string{
			"hatchdog-baseline": "enforce", "hatchdog-restricted": "enforce", "hatchdog-untrusted": "enforce",
		}}, true},
		Nftables: Answer{Yes: true}, SeccompActions: []string{"errno", "log"},
		Runtimes: []Runtime{{Path: "/usr/bin/runc", Name: "runc", Version: "1.5.2", Used: true}},
		Engines: []Engine{
			{Name: "docker", Found: install.Found{State: install.State{Known: true, Default: true, BuildKit: true}}},
			{Name: "containerd", Found: install.Found{State: install.State{Known: true, Default: true, Annotations: true}}},
		},
	}
}

func TestHealthy(t *testing.T) {
	for _, f := range Examine(healthy()) {
		if f.Level != OK || f.Means != "" || f.Remedy != "" || f.Found == "" {
			t.Errorf("%+v", f)
		}
	}
}

// Each lack is one finding, with what it means and what to do.
func TestEachLack(t *testing.T) {
	for what, c := range map[string]struct {
		lose  func(*Host)
		check string
		level Level
	}{
		"old kernel":   {func(h *Host) { h.Kernel = "5.4.0" }, "kernel", Fail},
		"older kernel": {func(h *Host) { h.Kernel = "5.10.0" }, "kernel", Warn},
		"odd kernel":   {func(h *Host) { h.Kernel = "linux" }, "kernel", Warn},
		"nothing holds": {func(h *Host) {
			h.Guard = Guard{Lacks: errors.New("not loaded"), Denied: []string{"drift"}}
		}, "guard", Warn},
		"the watch holds less": {func(h *Host) {
			h.Guard = Guard{Lacks: errors.New("not loaded"), Watched: true, Denied: []string{"bpf", "drift"}}
		}, "guard", Warn},
		"no modules":        {func(h *Host) { h.LSMs = []string{"lockdown"} }, "security modules", Warn},
		"no securityfs":     {func(h *Host) { h.LSMs = nil }, "security modules", Warn},
		"profile complains": {func(h *Host) { h.AppArmor.Modes["hatchdog-baseline"] = "complain" }, "AppArmor profiles", Warn},
		"no parser": {func(h *Host) {
			h.AppArmor.Parser = false
			delete(h.AppArmor.Modes, "hatchdog-untrusted")
		}, "AppArmor profiles", Warn},
		"profiles unknown": {func(h *Host) { h.AppArmor.Err = "x" }, "AppArmor profiles", Warn},
		"no pids":          {func(h *Host) { h.Controllers = []string{"cpu", "memory"} }, "control groups", Fail},
		"no swap":          {func(h *Host) { h.CgroupSwap = false }, "control groups", Warn},
		"no namespaces":    {func(h *Host) { h.UserNamespaces = Answer{} }, "user namespaces", Warn},
		"no idmap":         {func(h *Host) { h.MountSetattr = false }, "mount_setattr", Warn},
		"nftables unknown": {func(h *Host) { h.Nftables = Answer{Unknown: "x"} }, "nftables", Warn},
		"no seccomp":       {func(h *Host) { h.SeccompActions = nil }, "seccomp", Fail},
		"bad policy":       {func(h *Host) { h.Policy = errors.New("line 3") }, "policy", Fail},
		"weak policy":      {func(h *Host) { h.Weak = []policy.Weak{{Where: "p.yaml:3", Setting: "restore: admit", Means: "x"}} }, "policy", Warn},
		"no runtime":       {func(h *Host) { h.Runtimes = nil }, "low-level runtime", Fail},
		"used escape":      {func(h *Host) { h.Runtimes[0].Err = errors.New("CVE") }, "low-level runtime /usr/bin/runc", Fail},
		"crun on a hybrid": {func(h *Host) {
			h.Hybrid, h.CgroupV2 = true, false
			h.Runtimes[0].Name, h.Runtimes[0].Version = "crun", "1.28"
		}, "low-level runtime /usr/bin/runc", Fail},
		"unused escape": {func(h *Host) {
			h.Runtimes = append(h.Runtimes, Runtime{Path: "/opt/crun", Err: errors.New("CVE")})
		}, "low-level runtime /opt/crun", Warn},
		"an old docker":    {func(h *Host) { h.Engines[0].Version = "19.03.15" }, "docker", Warn},
		"a new containerd": {func(h *Host) { h.Engines[1].Version = "2.9.0" }, "containerd", Warn},
		"a new runc":       {func(h *Host) { h.Runtimes[0].Version = "2.0.0" }, "low-level runtime /usr/bin/runc", Warn},
		"no engine":        {func(h *Host) { h.Engines = nil }, "engines", Warn},
		"docker without":   {func(h *Host) { h.Engines[0].Known = false }, "docker", Fail},
		"docker default":   {func(h *Host) { h.Engines[0].Default = false }, "docker", Warn},
		"docker build":     {func(h *Host) { h.Engines[0].BuildKit = false }, "docker build", Warn},
		"docker broken":    {func(h *Host) { h.Engines[0].Err = errors.New("x") }, "docker", Warn},
		"no annotations":   {func(h *Host) { h.Engines[1].Annotations = false }, "containerd annotations", Warn},
		"containerd alone": {func(h *Host) { h.Engines[1].Known = false }, "containerd", Fail},
	} {
		h := healthy()
		c.lose(&h)
		all := Examine(h)
		var found []Finding
		for _, f := range all {
			if f.Level != OK {
				found = append(found, f)
			}
		}
		if len(found) != 1 || found[0].Check != c.check || found[0].Level != c.level || found[0].Means == "" || Worst(all) != c.level {
			t.Errorf("%s: %+v", what, found)
		}
	}
}

func TestProbeEngines(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	if all := probeEngines(root); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	write("etc/docker/daemon.json", `{"runtimes":{"hard":{"path":"/usr/local/bin/hatchdog"}},"default-runtime":"hard"}`, 0o644)
	write("etc/systemd/system/docker.service.d/x.conf", "[Service]\nEnvironment=\"DOCKER_BUILDKIT_RUNC_COMMAND=/usr/local/bin/hatchdog\"\n", 0o644)
	write("usr/bin/containerd", "", 0o755)
	write("etc/containerd/config.toml", "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.x]\nruntime_type = 'io.containerd.hatchdog.v1'\npod_annotations = ['hatchdog.dev/*']\n", 0o644)
	write("usr/bin/crio", "", 0o755)
	write("etc/crio/crio.conf.d/9.conf", "[crio.runtime]\ndefault_runtime = \"hatchdog\"\n[crio.runtime.runtimes.hatchdog]\nruntime_path = \"/usr/local/bin/hatchdog\"\n", 0o644)
	got := map[string]Engine{}
	for _, e := range probeEngines(root) {
		e.Config = strings.TrimPrefix(e.Config, root)
		got[e.Name] = e
	}
	want := map[string]Engine{
		"docker":     {Name: "docker", Found: install.Found{Config: "/etc/docker/daemon.json", State: install.State{Known: true, Default: true, Annotations: true, BuildKit: true}}},
		"containerd": {Name: "containerd", Found: install.Found{Config: "/etc/containerd/config.toml", State: install.State{Known: true, Annotations: true}}},
		"crio":       {Name: "crio", Found: install.Found{Config: "/etc/crio/crio.conf", State: install.State{Known: true, Default: true, Annotations: true}}},
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%+v, want %+v", got[name], w)
		}
	}
	if len(got) != len(want) {
		t.Error(got)
	}
	for _, c := range []struct { // in this order: k3s' configuration comes before containerd's own
		what, path, text string
		want             func(Engine) bool
	}{
		{"CRI disabled", "etc/containerd/config.toml", "disabled_plugins = ['cri']\n", func(e Engine) bool { return e.NoCRI && e.Err == nil }},
		{
			"commented unit",
			"etc/systemd/system/docker.service.d/x.conf", "[Service]\n#Environment=DOCKER_BUILDKIT_RUNC_COMMAND=/usr/local/bin/hatchdog\n",
			func(e Engine) bool { return !e.BuildKit },
		},
		{"commented crio", "etc/crio/crio.conf.d/9.conf", "# runtime_path = \"/usr/local/bin/hatchdog\"\n", func(e Engine) bool { return !e.Known && !e.Default }},
		{
			"k3s",
			"var/lib/rancher/k3s/agent/etc/containerd/config.toml", "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.x]\nruntime_type = 'io.containerd.hatchdog.v1'\n",
			func(e Engine) bool { return e.Known && strings.Contains(e.Config, "k3s") },
		},
		{"broken", "etc/docker/daemon.json", `{"runtimes":`, func(e Engine) bool { return e.Err != nil && !e.Known }},
	} {
		write(c.path, c.text, 0o644)
		if !slices.ContainsFunc(probeEngines(root), c.want) {
			t.Errorf("%s: %+v", c.what, probeEngines(root))
		}
	}
}

// A profile that is missing is loaded when it is needed: nothing is lacking.
func TestProfilesToLoad(t *testing.T) {
	h := healthy()
	h.AppArmor.Modes = nil
	if f := appArmor(h)[0]; f.Level != OK || !strings.Contains(f.Found, "0 of 3") {
		t.Errorf("%+v", f)
	}
	if all := appArmor(Host{}); all != nil {
		t.Errorf("%+v", all)
	}
}

// A containerd that only serves Docker has nothing to route.
func TestNoCRI(t *testing.T) {
	for _, f := range engines(Host{Engines: []Engine{{Name: "containerd", Found: install.Found{State: install.State{NoCRI: true}}}}}) {
		if f.Level != OK || !strings.Contains(f.Found, "disabled") {
			t.Errorf("%+v", f)
		}
	}
}

// The kernel of these tests can do both; the probes leave nothing behind.
func TestRealProbes(t *testing.T) {
	if a := tryNftables(); !a.Yes && os.Geteuid() == 0 {
		t.Errorf("nftables: %+v", a)
	}
	if a := tryUserNamespace(); !a.Yes && os.Geteuid() == 0 {
		t.Errorf("user namespaces: %+v", a)
	}
}

// A crun that could be used is recommended, and where it cannot be it is not.
func TestCrunBesideRunc(t *testing.T) {
	for hybrid, want := range map[bool]string{false: "about half of runc's time: runtime.path", true: "of no use where control groups of both versions"} {
		h := healthy()
		h.Hybrid, h.CgroupV2 = hybrid, !hybrid
		h.Runtimes = append(h.Runtimes, Runtime{Path: "/usr/bin/crun", Name: "crun", Version: "1.28"})
		found := false
		for _, f := range Examine(h) {
			if f.Check == "low-level runtime /usr/bin/crun" {
				found = f.Level == OK && strings.Contains(f.Found, want)
			}
		}
		if !found {
			t.Errorf("hybrid %v: %+v", hybrid, Examine(h))
		}
	}
}

// No guard is no lack where nothing is denied, or the watch holds to all that is.
func TestGuardThatIsNotNeeded(t *testing.T) {
	for _, g := range []Guard{
		{Lacks: errors.New("not loaded")},
		{Lacks: errors.New("not loaded"), Watched: true, Denied: []string{"drift"}},
	} {
		h := healthy()
		h.Guard = g
		if f := guard(h); f.Level != OK || strings.Contains(f.Found, "until it ends") != g.Watched {
			t.Errorf("%+v", f)
		}
	}
}
