package engine

import "slices"

// Config is where an engine is told of its runtimes. Paths are relative to the
// root of the host.
type Config struct {
	Name string // as hatchctl names it
	// File is its own; DropIn is ours beside it, "" where its own is edited.
	File, DropIn string
	Programs     []string // one of them is there where the engine is
	Tried        Releases // another is told of hatchdog too
}

// Configs are those of the engines that hatchctl installs hatchdog for: Docker
// 17.06 to 29, containerd 1.6 to 2.4, CRI-O 1.20 on, Podman 4 on. k3s and rke2
// bring a containerd (see Bundled).
func Configs() []Config {
	return []Config{
		{DockerName, "etc/docker/daemon.json", "", []string{"dockerd"}, Releases{"20.10", "29"}},
		{ContainerdName, "etc/containerd/config.toml", "", []string{"containerd", "k3s", "rke2"}, Releases{"1.6", "2.4"}},
		{CRIOName, "etc/crio/crio.conf", "etc/crio/crio.conf.d/99-hatchdog.conf", []string{"crio"}, Releases{"1.35", "1.35"}},
		{PodmanName, "etc/containers/containers.conf", "etc/containers/containers.conf.d/99-hatchdog.conf", []string{"podman"}, Releases{"4.3", "5.8"}},
	}
}

// ConfigOf finds one of Configs.
func ConfigOf(name string) (Config, bool) {
	all := Configs()
	i := slices.IndexFunc(all, func(c Config) bool { return c.Name == name })
	if i < 0 {
		return Config{}, false
	}
	return all[i], true
}

// Edited is the file that hatchctl writes.
func (c Config) Edited() string {
	if c.DropIn != "" {
		return c.DropIn
	}
	return c.File
}

// The names of those that are called so as engines, and not by their bundles.
const (
	ContainerdName = "containerd"
	CRIOName       = "crio"
)

// Bundled are the directories in which distributions of Kubernetes render the
// configuration of the containerd that they bring, by their names.
func Bundled() [][2]string {
	return [][2]string{
		{"k3s", "var/lib/rancher/k3s/agent/etc/containerd"},
		{"rke2", "var/lib/rancher/rke2/agent/etc/containerd"},
	}
}
