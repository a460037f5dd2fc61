package workload

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func load(t *testing.T, name string) *specs.Spec {
	t.Helper()
	raw, err := os.ReadFile("../../integration/testdata/specs/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

const tasks = "/run/containerd/io.containerd.runtime.v2.task/"

func TestEngineByBundle(t *testing.T) {
	for _, c := range []struct{ spec, bundle, want string }{
		{"docker-default", "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/c1", Docker},
		{"cri24-app-kubelet", tasks + "k8s.io/c1", CRI},
		{"cri24-app-kubelet", tasks + "other/c1", Ctr}, // forged annotations
		{"cri24-app-kubelet", "/tmp/bundle", Other},
		{"ctr-default", tasks + "k8s.io/c1", Ctr},
		{"ctr-default", tasks + "default/c1", Ctr},
		{"ctr-default", "/var/lib/containers/storage/overlay-containers/c1/userdata", Podman},
	} {
		w := Identify(load(t, c.spec), "c1", c.bundle)
		if w.Engine != c.want {
			t.Errorf("%s in %s: %s, want %s", c.spec, c.bundle, w.Engine, c.want)
		}
		if w.Engine != CRI && (w.Namespace != "" || w.Pod != "" || w.Image != "" || w.Sandbox) {
			t.Errorf("%s in %s: believes annotations: %+v", c.spec, c.bundle, w)
		}
	}
}

func TestPodOfRealCRISpecs(t *testing.T) {
	for _, line := range []string{"cri16", "cri24"} {
		app := Identify(load(t, line+"-app-kubelet"), "c1", tasks+"k8s.io/c1")
		if app.Namespace == "" || app.Pod == "" || app.Container == "" || app.Image == "" || app.Sandbox || app.SandboxID == "" {
			t.Errorf("%s: %+v", line, app)
		}
		if sandbox := Identify(load(t, line+"-sandbox"), "c1", tasks+"k8s.io/c1"); !sandbox.Sandbox {
			t.Errorf("%s: %+v", line, sandbox)
		}
	}
}

func TestChoices(t *testing.T) {
	s := &specs.Spec{Annotations: map[string]string{"hatchdog.dev/profile": "untrusted", "other": "x"}}
	if diff := cmp.Diff(map[string]string{"profile": "untrusted"}, Identify(s, "c1", "/b").Choices); diff != "" {
		t.Error(diff)
	}
}
