package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hatchdog/hatchdog/internal/engine"
)

func TestTargets(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"etc/systemd/system", "etc/containerd"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	paths := func(name, version string) string {
		e, err := EngineOf(name)
		must(t, err)
		all, err := e.Targets(Place{Root: root, Version: version})
		must(t, err)
		var b strings.Builder
		for _, target := range all {
			rel, err := filepath.Rel(root, target.Path)
			must(t, err)
			b.WriteString(rel + " ")
		}
		return b.String()
	}
	for _, c := range []struct{ name, version, want string }{
		{"docker", "", "etc/docker/daemon.json etc/systemd/system/docker.service.d/hatchdog.conf "},
		{"containerd", "1.6.20~ds1", "etc/containerd/config.toml "},
		{"containerd", "2.0.13", "etc/containerd/config.toml "},
		{"containerd", "2.4.2", "etc/containerd/config.toml "},
		{"containerd", "", "etc/containerd/config.toml "},
		{"crio", "", "etc/crio/crio.conf.d/99-hatchdog.conf "},
		{"podman", "", "etc/containers/containers.conf.d/99-hatchdog.conf "},
	} {
		if got := paths(c.name, c.version); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	must(t, os.WriteFile(root+"/etc/containerd/config.toml", []byte(tomlV3), 0o600))
	if got := paths("containerd", "2.4.2"); got != "etc/containerd/config.toml " {
		t.Error(got)
	}
	k3s := root + "/var/lib/rancher/k3s/agent/etc/containerd"
	must(t, os.MkdirAll(k3s, 0o755))
	must(t, os.WriteFile(k3s+"/config.toml", []byte(tomlV3), 0o600))
	if got := paths("containerd", "2.4.2"); !strings.HasSuffix(got, "k3s/agent/etc/containerd/config-v3.toml.tmpl ") {
		t.Error(got)
	}
	if _, err := EngineOf("rkt"); err == nil {
		t.Error("an unknown engine")
	}
}

// Each engine of the table has one, and has its row.
func TestEnginesOfTheTable(t *testing.T) {
	var table []string
	for _, c := range engine.Configs() {
		table = append(table, c.Name)
		e, err := EngineOf(c.Name)
		must(t, err)
		if diff := cmp.Diff(c, e.Config()); diff != "" {
			t.Error(diff)
		}
		if e.Restart(Place{Root: t.TempDir()}) == "" || e.Alive(Place{Root: t.TempDir()}) == "" {
			t.Errorf("%s cannot be restarted or asked", c.Name)
		}
	}
	if diff := cmp.Diff(table, Names()); diff != "" {
		t.Error(diff)
	}
}
