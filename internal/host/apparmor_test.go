package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kernel makes a root with the files of /sys and /proc that are given.
func kernel(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const loaded = `docker-default (enforce)
hatchdog-restricted (complain)
a name (x) (kill)
runc (unconfined)
`

func TestProbeApparmor(t *testing.T) {
	a := ProbeApparmor(kernel(t, map[string]string{
		apparmorSwitch: "Y\n", apparmorProfiles: loaded, "proc/self/attr/apparmor/current": "unconfined\n",
	}), "docker-default", "hatchdog-restricted", "a name (x)", "absent")
	if !a.Enabled || a.Err != "" || a.Own != "" || len(a.Modes) != 3 {
		t.Fatalf("%+v", a)
	}
	for name, want := range map[string]bool{"docker-default": true, "hatchdog-restricted": false, "a name (x)": true, "absent": false, "runc": false} {
		if a.Enforced(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestProbeApparmorOwn(t *testing.T) {
	for label, want := range map[string]string{
		"unconfined\n":                    "",
		"runc (unconfined)\n":             "",
		"docker-default (enforce)\n":      "docker-default",
		"a//&b (mixed)\n":                 "a//&b",
		"/usr/bin/dockerd (complain)\x00": "/usr/bin/dockerd",
	} {
		for _, file := range []string{"proc/self/attr/apparmor/current", "proc/self/attr/current"} {
			a := ProbeApparmor(kernel(t, map[string]string{apparmorSwitch: "Y\n", apparmorProfiles: "", file: label}))
			if a.Err != "" || a.Own != want {
				t.Errorf("%q: %+v", label, a)
			}
		}
	}
}

// What cannot be told is never taken for no.
func TestProbeApparmorInconclusive(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		err   string
	}{
		"no such kernel": {map[string]string{"sys/module/x": ""}, ""},
		"switched off":   {map[string]string{apparmorSwitch: "N\n"}, ""},
		"no sysfs":       {map[string]string{"proc/x": ""}, "whether the kernel has it"},
		"odd switch":     {map[string]string{apparmorSwitch: "?"}, "neither Y nor N"},
		"no securityfs":  {map[string]string{apparmorSwitch: "Y\n"}, "is securityfs mounted"},
		"no procfs":      {map[string]string{apparmorSwitch: "Y\n", apparmorProfiles: loaded}, "the profile of hatchdog itself"},
	} {
		a := ProbeApparmor(kernel(t, c.files), "docker-default")
		if (a.Err == "") != (c.err == "") || !strings.Contains(a.Err, c.err) {
			t.Errorf("%s: %+v", name, a)
		}
		if a.Enforced("docker-default") {
			t.Errorf("%s: taken for enforced", name)
		}
	}
}

func TestConfined(t *testing.T) {
	root := kernel(t, map[string]string{
		"proc/7/attr/apparmor/current":  "hatchdog-restricted (enforce)\n",
		"proc/8/attr/current":           "hatchdog-baseline//&hatchdog-restricted (enforce)\n",
		"proc/9/attr/apparmor/current":  "unconfined\n",
		"proc/10/attr/apparmor/current": "hatchdog-restricted-not (enforce)\n",
		"proc/11/stat":                  "",
		"proc/stat":                     "",
	})
	pids, err := Confined(root, "hatchdog-restricted")
	slices.Sort(pids)
	if err != nil || !slices.Equal(pids, []int{7, 8}) {
		t.Error(pids, err)
	}
}

func BenchmarkProbeApparmor(b *testing.B) {
	root := b.TempDir()
	for name, text := range map[string]string{
		apparmorSwitch: "Y\n", apparmorProfiles: strings.Repeat("snap.some-program.some-command (enforce)\n", 150) + loaded,
		"proc/self/attr/apparmor/current": "unconfined\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if !ProbeApparmor(root, "docker-default", "hatchdog-restricted").Enforced("docker-default") {
			b.Fatal("not found")
		}
	}
}
