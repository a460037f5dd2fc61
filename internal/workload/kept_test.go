package workload

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

const keptByDocker = `{"ID":"c1","Name":"/web","Image":"sha256:aa","ImageManifest":{"digest":"sha256:bb"},"Config":{"Image":"busybox:1.36",
"Env":["NAME=/evil"],"Labels":{"tier":"db","com.docker.compose.project":"shop","com.docker.compose.service":"front"}}}`

// dockers writes what dockerd keeps of c1 and gives the spec that mounts its hosts file.
func dockers(t *testing.T, kept string) (file string, ask func() Workload) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data/containers/c1")
	if err := os.MkdirAll(dir, 0o710); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "config.v2.json")
	if err := os.WriteFile(file, []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &specs.Spec{Mounts: []specs.Mount{{Destination: "/etc/hosts", Source: dir + "/hosts"}}}
	return file, func() Workload { return Identify(s, "c1", tasks+"moby/c1") }
}

func TestNamesThatDockerKeeps(t *testing.T) {
	_, ask := dockers(t, keptByDocker)
	w := ask()
	if w.Name != "web" || w.Image != "busybox:1.36" || !slices.Equal(w.ImageDigests, []string{"sha256:aa", "sha256:bb"}) || w.Labels["tier"] != "db" ||
		w.Project != "shop" || w.Service != "front" || w.Called() != "web" {
		t.Errorf("%+v", w)
	}
	if kept, err := json.Marshal(w); err != nil || strings.Contains(string(kept), "tier") {
		t.Errorf("labels are kept: %s %v", kept, err)
	}
}

// What anybody else could have written is no name, and no error.
func TestNamesOfNobodyElse(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, file string) error{
		"missing":     func(_ *testing.T, file string) error { return os.Remove(file) },
		"writable":    func(_ *testing.T, file string) error { return os.Chmod(file, 0o666) },
		"of a group":  func(_ *testing.T, file string) error { return os.Chmod(file, 0o660) },
		"of another":  func(_ *testing.T, file string) error { return os.Chown(file, 4242, 0) },
		"in a folder": func(_ *testing.T, file string) error { return os.Chmod(filepath.Dir(file), 0o777) },
		"of a folder of another": func(_ *testing.T, file string) error {
			return os.Chown(filepath.Dir(filepath.Dir(file)), 4242, 0)
		},
		"a link": func(t *testing.T, file string) error {
			other := filepath.Join(t.TempDir(), "x")
			if err := os.Rename(file, other); err != nil {
				return err
			}
			return os.Symlink(other, file)
		},
		"too large": func(_ *testing.T, file string) error {
			return os.WriteFile(file, []byte(keptByDocker+strings.Repeat(" ", bundle.MaxSize)), 0o600)
		},
		"of another container": func(_ *testing.T, file string) error {
			return os.WriteFile(file, []byte(strings.Replace(keptByDocker, `"c1"`, `"c2"`, 1)), 0o600)
		},
		"not JSON": func(_ *testing.T, file string) error { return os.WriteFile(file, []byte(keptByDocker[:50]), 0o600) },
		"a folder": func(_ *testing.T, file string) error { _ = os.Remove(file); return os.Mkdir(file, 0o700) },
		"two names": func(_ *testing.T, file string) error {
			return os.WriteFile(file, []byte(`{"ID":"c1","Name":"/a","Name":"/web"}`), 0o600)
		},
	} {
		file, ask := dockers(t, keptByDocker)
		if err := spoil(t, file); errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 {
			continue // only root gives files away
		} else if err != nil {
			t.Fatal(err)
		}
		if w := ask(); w.Name != "" || w.Image != "" || len(w.ImageDigests) > 0 || len(w.Labels) > 0 || w.Engine != Docker {
			t.Errorf("%s: %+v", what, w)
		}
	}
}

func TestNamesOfOtherBundlesAreNotRead(t *testing.T) {
	file, _ := dockers(t, keptByDocker)
	s := &specs.Spec{Mounts: []specs.Mount{{Source: filepath.Dir(file) + "/hosts"}}}
	for _, bundle := range []string{tasks + "default/c1", "/tmp/c1", tasks + "k8s.io/c1"} {
		if w := Identify(s, "c1", bundle); w.Name != "" || w.Image != "" {
			t.Errorf("%s: %+v", bundle, w)
		}
	}
}

func TestNamesThatPodmanKeeps(t *testing.T) {
	lists := filepath.Join(t.TempDir(), "overlay-containers")
	bundle := filepath.Join(lists, "c1/userdata")
	if err := os.MkdirAll(bundle, 0o700); err != nil {
		t.Fatal(err)
	}
	const list = `[{"id":"c0","names":["{\"id\":\"c1\""],"metadata":"{\"id\":\"c1\",\"name\":\"x\"}"},` +
		`{"id":"c1","names":["web"],"image":"aa","layer":"l","metadata":"{\"image-name\":\"docker.io/library/busybox:latest\"}"},{"id":"c2","names":["db"]}]`
	for _, name := range []string{"containers.json", "volatile-containers.json"} {
		if err := os.WriteFile(filepath.Join(lists, name), []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		w := Identify(&specs.Spec{}, "c1", bundle)
		if w.Engine != Podman || w.Name != "web" || w.Image != "docker.io/library/busybox:latest" || !slices.Equal(w.ImageDigests, []string{"sha256:aa"}) {
			t.Errorf("%s: %+v", name, w)
		}
		if err := os.Remove(filepath.Join(lists, name)); err != nil {
			t.Fatal(err)
		}
	}
	if w := Identify(&specs.Spec{}, "c1", bundle); w.Name != "" {
		t.Errorf("%+v", w)
	}
}

func TestNamesOfAnnotations(t *testing.T) {
	s := &specs.Spec{Annotations: map[string]string{"nerdctl/name": "web"}}
	if w := Identify(s, "c1", tasks+"default/c1"); w.Name != "web" {
		t.Errorf("%+v", w)
	}
	pod := &specs.Spec{Annotations: map[string]string{
		"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.image-name": "docker.io/library/busybox@sha256:aa",
	}}
	if w := Identify(pod, "c1", tasks+"k8s.io/c1"); !slices.Equal(w.ImageDigests, []string{"sha256:aa"}) {
		t.Errorf("%+v", w)
	}
}

// BenchmarkIdentify is what a create pays for the names.
func BenchmarkIdentify(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "data/containers/c1")
	if err := os.MkdirAll(dir, 0o710); err != nil {
		b.Fatal(err)
	}
	padded := strings.Replace(keptByDocker, `"Env":[`, `"Env":["X=`+strings.Repeat("x", 4000)+`",`, 1)
	s := &specs.Spec{Mounts: []specs.Mount{{Destination: "/etc/hosts", Source: dir + "/hosts"}}}
	for _, n := range []string{"without", "with"} {
		b.Run(n, func(b *testing.B) {
			for b.Loop() {
				Identify(s, "c1", tasks+"moby/c1")
			}
		})
		if err := os.WriteFile(filepath.Join(dir, "config.v2.json"), []byte(padded), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
