// Package kubernetes holds the tests of deploy/kubernetes, against the real
// kustomize, API types and expression language.
package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	node "k8s.io/api/node/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const deploy = "../../deploy/kubernetes"

// objects renders a kustomization and decodes what it gives, strictly.
func objects(t *testing.T, dir string) map[string]any {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(deploy, dir))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, r := range rendered.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var v any
		switch r.GetKind() {
		case "Namespace":
			v = &core.Namespace{}
		case "ServiceAccount":
			v = &core.ServiceAccount{}
		case "ConfigMap":
			v = &core.ConfigMap{}
		case "DaemonSet":
			v = &apps.DaemonSet{}
		case "RuntimeClass":
			v = &node.RuntimeClass{}
		case "ValidatingAdmissionPolicy":
			v = &admission.ValidatingAdmissionPolicy{}
		case "ValidatingAdmissionPolicyBinding":
			v = &admission.ValidatingAdmissionPolicyBinding{}
		default:
			t.Fatalf("%s: a kind that nobody has checked: %s", dir, r.GetKind())
		}
		if err := yaml.UnmarshalStrict(text, v); err != nil {
			t.Errorf("%s %s: %v", dir, r.GetKind(), err)
		}
		all[r.GetKind()] = v
	}
	return all
}

func TestManifests(t *testing.T) {
	for _, dir := range []string{"base", "overlays/namespace", "uninstall"} {
		all := objects(t, dir)
		class := all["RuntimeClass"].(*node.RuntimeClass)
		if class.Handler != "hatchdog" || class.Scheduling.NodeSelector["hatchdog.dev/node"] != "true" {
			t.Errorf("%s: %+v", dir, class)
		}
		set := all["DaemonSet"].(*apps.DaemonSet)
		pod := set.Spec.Template.Spec
		if *pod.AutomountServiceAccountToken || pod.NodeSelector["hatchdog.dev/node"] != "true" {
			t.Errorf("%s: the installer has a token, or runs where no pod may", dir)
		}
		if wait := pod.Containers[0]; wait.SecurityContext.Privileged != nil || len(wait.VolumeMounts) != 1 || !*wait.SecurityContext.RunAsNonRoot {
			t.Errorf("%s: what stays is privileged", dir)
		}
		want := "install"
		if dir == "uninstall" {
			want = "uninstall"
		}
		if got := pod.InitContainers[0].Command[2]; got != want {
			t.Errorf("%s: it would %s", dir, got)
		}
	}
}

// The watch runs in the node's namespaces, on the nodes that have its program.
func TestWatchManifest(t *testing.T) {
	pod := objects(t, "overlays/watch")["DaemonSet"].(*apps.DaemonSet).Spec.Template.Spec
	if !pod.HostPID || *pod.AutomountServiceAccountToken || pod.NodeSelector["hatchdog.dev/node"] != "true" {
		t.Errorf("%+v", pod)
	}
	if got := strings.Join(pod.Containers[0].Command, " "); got != "nsenter --target 1 --mount --uts --ipc --net --cgroup -- /usr/local/bin/hatchctl watch --json" {
		t.Error(got)
	}
	s := pod.Containers[0].SecurityContext
	if s.Privileged != nil || s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || !*s.ReadOnlyRootFilesystem {
		t.Errorf("%+v", s)
	}
}

// The policy admits the pods that it should, and no other.
func TestAdmission(t *testing.T) {
	policy := objects(t, "overlays/namespace")["ValidatingAdmissionPolicy"].(*admission.ValidatingAdmissionPolicy)
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	ast, issues := env.Compile(policy.Spec.Validations[0].Expression)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		t.Fatal(err)
	}
	for class, want := range map[string]bool{"hatchdog": true, "runc": false, "": false} {
		spec := map[string]any{}
		if class != "" {
			spec["runtimeClassName"] = class
		}
		got, _, err := program.Eval(map[string]any{"object": map[string]any{"spec": spec}})
		if err != nil || got.Value() != want {
			t.Errorf("class %q: %v %v", class, got, err)
		}
	}
}

func TestScriptNamesWhatThePodMounts(t *testing.T) {
	script, err := os.ReadFile(deploy + "/base/node.sh")
	if err != nil {
		t.Fatal(err)
	}
	pod := objects(t, "base")["DaemonSet"].(*apps.DaemonSet).Spec.Template.Spec
	for _, m := range pod.InitContainers[0].VolumeMounts {
		if m.Name != "scripts" && !strings.Contains(string(script), ":-"+m.MountPath+"}") {
			t.Errorf("%s is mounted and not used", m.MountPath)
		}
	}
}
