package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"etc/systemd/system", "etc/containerd"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	paths := func(e Engine) string {
		all, err := e.Targets()
		must(t, err)
		var b strings.Builder
		for _, target := range all {
			rel, err := filepath.Rel(root, target.Path)
			must(t, err)
			b.WriteString(rel + " ")
		}
		return b.String()
	}
	for _, c := range []struct {
		e    Engine
		want string
	}{
		{Engine{Name: "docker"}, "etc/docker/daemon.json etc/systemd/system/docker.service.d/hatchdog.conf "},
		{Engine{Name: "containerd", Version: "1.6.20~ds1"}, "etc/containerd/config.toml "},
		{Engine{Name: "containerd", Version: "2.0.13"}, "etc/containerd/config.toml "},
		{Engine{Name: "containerd", Version: "2.4.2"}, "etc/containerd/config.toml "},
		{Engine{Name: "containerd"}, "etc/containerd/config.toml "},
		{Engine{Name: "crio"}, "etc/crio/crio.conf.d/99-hatchdog.conf "},
		{Engine{Name: "podman"}, "etc/containers/containers.conf.d/99-hatchdog.conf "},
	} {
		c.e.Root = root
		if got := paths(c.e); got != c.want {
			t.Errorf("%+v: %s", c.e, got)
		}
	}
	must(t, os.WriteFile(root+"/etc/containerd/config.toml", []byte(tomlV3), 0o600))
	if got := paths(Engine{Name: "containerd", Root: root, Version: "2.4.2"}); got != "etc/containerd/config.toml " {
		t.Error(got)
	}
	k3s := root + "/var/lib/rancher/k3s/agent/etc/containerd"
	must(t, os.MkdirAll(k3s, 0o755))
	must(t, os.WriteFile(k3s+"/config.toml", []byte(tomlV3), 0o600))
	if got := paths(Engine{Name: "containerd", Root: root, Version: "2.4.2"}); !strings.HasSuffix(got, "k3s/agent/etc/containerd/config-v3.toml.tmpl ") {
		t.Error(got)
	}
	if _, err := (Engine{Name: "rkt", Root: root}).Targets(); err == nil {
		t.Error("an unknown engine")
	}
}
