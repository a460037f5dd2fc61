package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/capture"
	"github.com/hatchdog/hatchdog/internal/why"
)

// As users ask under Docker: by the container's name, of its layers, its volumes
// and its own resolver.
func TestWhyUnderDocker(t *testing.T) {
	eachDocker(t, whyUnderDocker)
}

func whyUnderDocker(t *testing.T, d *docker) {
	vol := t.TempDir()
	must(t, os.WriteFile(vol+"/file", []byte("x"), 0o666))
	must(t, os.WriteFile(vol+"/of-root", []byte("x"), 0o600))
	id := d.background(t, "--name", "asked", "-v", vol+":/vol:ro", "-e", "PASSWORD=hunter-two-sesame", "busybox", "sleep", "600")
	for _, c := range []struct {
		target string
		want   why.Verdict
		layer  string
	}{
		{"chroot", why.Hatchdog, ""},
		{"mount", why.Other, why.LayerFilter},
		{"NET_RAW", why.Hatchdog, ""},
		{"SYS_ADMIN", why.Other, why.LayerRequest},
		{"/vol/file --for write", why.Other, why.LayerReadOnly},
		{"/proc/cmdline", why.Hatchdog, ""},
		{"/proc/timer_list", why.Other, why.LayerRequest},
		{"/etc/passwd --for write --user 1000", why.Other, why.LayerPermissions},
		{"/vol/of-root --user 1000", why.Other, why.LayerPermissions},
		{"/nothing", why.Other, why.LayerMissing},
		{"/bin/sh --for execute", why.Undetermined, ""},
		{"127.0.0.1:81", why.Other, why.LayerPort},
		{"169.254.169.254:80", why.Hatchdog, ""},
		{"no.such.name.invalid", why.Other, why.LayerDNS},
	} {
		out, code := d.hatchctl(t, append([]string{"why", "--json", "asked"}, strings.Fields(c.target)...)...)
		var got struct{ Findings []why.Finding }
		if code > 2 || json.Unmarshal([]byte(out), &got) != nil || len(got.Findings) == 0 {
			t.Errorf("%s: exit code %d\n%s", c.target, code, out)
			continue
		}
		if f := got.Findings[0]; f.Verdict != c.want || f.Layer != c.layer {
			t.Errorf("%s: %s %q, want %s %q\n%s", c.target, f.Verdict, f.Layer, c.want, c.layer, out)
		}
	}
	d.do(t, "exec", "asked", "sh", "-c", "echo x >/written; rm /etc/group")
	file := t.TempDir() + "/capture.tar"
	if out, code := d.hatchctl(t, "capture", "--freeze", "--output", file, id); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	all, _ := members(t, file)
	var layer capture.Layer
	must(t, json.Unmarshal([]byte(all["writable-layer.json"]), &layer))
	kinds := map[string]string{}
	for _, e := range layer.Entries {
		kinds[e.Path] = e.Kind
	}
	if kinds["/written"] != "file" || kinds["/etc/group"] != "deleted" {
		t.Errorf("%v %v", kinds, all["manifest.json"])
	}
	for name, text := range all {
		if strings.Contains(text, "hunter-two-sesame") {
			t.Errorf("%s has a value of the environment", name)
		}
	}
	d.do(t, "exec", "asked", "true") // it goes on
}
