package policy

import (
	"reflect"
	"testing"
)

// The profile of a command in a box is untrusted's in every field but the modes of
// volumes, which are narrower.
func TestSandboxIsAtLeastAsTightAsUntrusted(t *testing.T) {
	pol, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	box, untrusted := *pol.Profiles["builtin/sandbox"], *pol.Profiles["builtin/untrusted"]
	for _, r := range box.UserNS.Volumes.Rules {
		was := untrusted.UserNS.Volumes.For(r.Path)
		if meetVolume(r.Mode, was) != r.Mode {
			t.Errorf("userns.volumes of %s: %s is wider than %s", r.Path, r.Mode, was)
		}
	}
	box.UserNS.Volumes.Rules = untrusted.UserNS.Volumes.Rules
	a, b := reflect.ValueOf(box), reflect.ValueOf(untrusted)
	for i := range a.NumField() {
		switch name := a.Type().Field(i).Name; name {
		case "Name", "Description", "Origin": // what is said of it
		default:
			if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				t.Errorf("%s: %v, of untrusted %v", name, a.Field(i), b.Field(i))
			}
		}
	}
}
