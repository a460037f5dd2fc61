package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// Containers of enforced namespaces are told of that run by the low-level runtime
// alone, where containerd has them: once each, and no others.
func TestWatchTellsOfContainersBeside(t *testing.T) {
	const space = "k8s.io" // of the CRI in containerd: others may be in it too
	root, tasks := "/run/containerd/runc/"+space, "/run/containerd/io.containerd.runtime.v2.task/"+space
	for _, dir := range []string{root, tasks} {
		must(t, os.MkdirAll(dir, 0o700))
		t.Cleanup(func() { _ = os.Remove(dir) }) // if nothing else is in it
	}
	policy := policyFile(t, t.TempDir(), "profile: restricted\nrules: [{match: {namespace: staging}, profile: restricted}]\n")
	start := func(program, name, namespace string) {
		id := "hatchdog-beside-" + name
		bundle := makeBundle(t, "while :; do sleep 600; done")
		editSpec(t, bundle, func(s *specs.Spec) {
			s.Linux.CgroupsPath = "/hatchdog-" + id
			s.Annotations = map[string]string{
				"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-namespace": namespace,
				"io.kubernetes.cri.sandbox-name": "pod", "io.kubernetes.cri.container-name": name,
			}
		})
		must(t, os.MkdirAll(filepath.Join(tasks, id), 0o700))
		t.Cleanup(func() { must(t, os.RemoveAll(filepath.Join(tasks, id))) })
		must(t, os.WriteFile(filepath.Join(tasks, id, "config.json"), []byte(read(t, filepath.Join(bundle, "config.json"))), 0o600))
		c := &caller{root: root, policy: policy, dir: t.TempDir(), program: program}
		must(t, c.call(id, "run", "-d", "--bundle", bundle, id))
		t.Cleanup(func() { must(t, c.call(id, "delete", "--force", id)) })
	}
	runc := pinnedRunc(t)
	w := startWatch(t, policy, "--enforced", "production")
	start(runc, "named", "production")
	start(runc, "ruled", "staging")
	start(runc, "free", "playground")
	start(runc, "alike", "production-2")
	start(tested.hatchdog, "held", "production")
	for _, says := range []string{"production/pod/named runs in an enforced namespace without hatchdog, under runc", "staging/pod/ruled"} {
		if a := w.want(t, watch.Beside, says); a.Severity != watch.High {
			t.Errorf("%+v", a)
		}
	}
	time.Sleep(6 * time.Second) // one look more
	var told []string
	for _, a := range w.of(watch.Beside) {
		if strings.Contains(a.What, "/pod/") {
			told = append(told, a.What)
		}
	}
	if len(told) != 2 {
		t.Errorf("%q", told)
	}
}
