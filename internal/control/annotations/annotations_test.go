package annotations

import (
	"maps"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestApply(t *testing.T) {
	p := &policy.Profile{Annotations: policy.AnnotationRules{Strip: []string{"bundle", "run.oci.*"}}}
	f := host.Facts{Runtime: host.Runtime{UnsafeAnnotations: []string{"org.systemd.property.", "org.criu.config"}}}
	s := &specs.Spec{Annotations: map[string]string{
		"bundle": "x", "bundles": "kept", "run.oci.handler": "secret", "org.systemd.property.After": "x",
		"org.criu.config": "x", "org.criu.configs": "kept", "io.kubernetes.cri.sandbox-id": "kept",
	}}
	changes, err := New(p, f).Apply(s)
	if err != nil || len(changes) != 4 {
		t.Fatalf("%v %v", changes, err)
	}
	for _, c := range changes {
		if c.Before != "set" {
			t.Errorf("%s: a value was shown", c.Field)
		}
	}
	want := map[string]string{"bundles": "kept", "org.criu.configs": "kept", "io.kubernetes.cri.sandbox-id": "kept"}
	if !maps.Equal(s.Annotations, want) {
		t.Error(s.Annotations)
	}
	if again, _ := New(p, f).Apply(s); len(again) != 0 {
		t.Errorf("not idempotent: %v", again)
	}
}
