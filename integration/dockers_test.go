package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// docker is a dockerd of the tests, with hatchdog as one of its runtimes, and
// the containerd below it.
type docker struct {
	name       string
	dockerd    string // a name on PATH, or a pattern in the set-up's cache; so are the others
	containerd string
	client     string
	runc       string // what plain containers run under
	network    string // which of the tests' network namespaces
	images     string // the folder of its data where the containers are mounted

	once       sync.Once
	ready      bool
	dir, ns    string
	cli        string
	more       []string // of its environment
	cmd, below *exec.Cmd
}

// dockers are all that hatchdog is tested under: the oldest that is still
// packaged, and the newest.
var dockers = []*docker{
	{name: "20.10", dockerd: "dockerd", containerd: "containerd", client: "docker", runc: "runc", images: "overlay2"},
	{
		name: "current", dockerd: "dockerd-v*/dockerd", containerd: "containerd-v*/containerd", client: "docker-cli-v*/docker", runc: "runc-*/runc",
		network: "-current", images: "rootfs/overlayfs",
	},
}

// eachDocker runs a test against each of them. HATCHDOG_DOCKERS names those that
// are there where not all can be: in the virtual machine.
func eachDocker(t *testing.T, test func(*testing.T, *docker)) {
	t.Helper()
	only, some := os.LookupEnv("HATCHDOG_DOCKERS")
	for _, d := range dockers {
		if some && !slices.Contains(strings.Split(only, ","), d.name) {
			continue
		}
		t.Run(d.name, func(t *testing.T) { test(t, d.start(t)) })
	}
}

// program is where one of its programs is.
func (d *docker) program(t *testing.T, name string) string {
	t.Helper()
	if strings.Contains(name, "/") {
		return cached(t, name)
	}
	path, err := exec.LookPath(name)
	must(t, err)
	return path
}

// env is what its daemons start with: the shim and the runc of their own time.
func (d *docker) env(t *testing.T) []string {
	t.Helper()
	path := os.Getenv("PATH")
	for _, p := range []string{d.runc, d.containerd} {
		if strings.Contains(p, "/") {
			path = filepath.Dir(cached(t, p)) + ":" + path
		}
	}
	return []string{"HATCHDOG_POLICY=" + d.dir + "/policy.yaml", "PATH=" + path}
}

// upper is the writable layer of a container on the host.
func (d *docker) upper(t *testing.T, id string) string {
	t.Helper()
	root := d.dir + "/data/rootfs/overlayfs/" + id
	if d.images == "overlay2" {
		root = strings.TrimSpace(d.do(t, "inspect", "-f", "{{.GraphDriver.Data.MergedDir}}", id))
	}
	for line := range strings.Lines(read(t, "/proc/self/mountinfo")) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == root {
			_, options, _ := strings.Cut(f[len(f)-1], "upperdir=")
			path, _, _ := strings.Cut(options, ",")
			return path
		}
	}
	t.Fatalf("%s is not mounted", root)
	return ""
}

// everything is what "all capabilities" means to this Docker: the 38 that 20.10
// knows, or those that its daemon has itself.
func (d *docker) everything(t *testing.T) string {
	t.Helper()
	if d == dockers[0] {
		return "0000003fffffffff"
	}
	for line := range strings.Lines(read(t, "/proc/self/status")) {
		if set, found := strings.CutPrefix(line, "CapBnd:"); found {
			return strings.TrimSpace(set)
		}
	}
	t.Fatal("no CapBnd")
	return ""
}
