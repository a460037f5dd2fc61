package policy

import "testing"

func TestRelocatedProtectsTheStateInUse(t *testing.T) {
	pol, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	p := pol.Profiles["builtin/restricted"]
	for _, c := range []struct {
		path   string
		before Access
		after  Access
	}{
		{"/srv/docker/overlay2", AccessRW, AccessNone},
		{"/srv/docker/volumes/web/_data", AccessRW, AccessRW},
		{"/srv/docker/volumes/web", AccessRW, AccessNone},
		{"/srv/state/x", AccessRW, AccessNone},
		{"/srv/other", AccessRW, AccessRW},
		{"/etc/docker/volumes/x/_data", AccessNone, AccessNone},
	} {
		r := p.Relocated(map[string]string{"/var/lib/docker": "/srv/docker", "/run/containerd": "/srv/state"})
		if c.path[:4] == "/etc" {
			r = p.Relocated(map[string]string{"/var/lib/docker": "/etc/docker"})
		}
		if got, _ := p.Mounts.AccessFor(c.path); got != c.before {
			t.Errorf("%s before: %s", c.path, got)
		}
		if got, _ := r.Mounts.AccessFor(c.path); got != c.after {
			t.Errorf("%s after: %s, want %s", c.path, got, c.after)
		}
	}
}
