package integration

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var updateSpecs = flag.Bool("update-specs", false, "write the specs of the newest engines anew")

// currentSpecs are what the newest Docker is asked for, by the name of the file.
var currentSpecs = map[string][]string{
	"default":            {},
	"publish":            {"-p", "127.0.0.1:18081:80"},
	"user":               {"--user", "1000:1000"},
	"privileged":         {"--privileged"},
	"cap-add":            {"--cap-add", "NET_ADMIN"},
	"cap-add-all":        {"--cap-add", "ALL"},
	"cap-drop-all":       {"--cap-drop", "ALL"},
	"volume":             {"-v", "hatchdog-spec:/data"},
	"bind":               {"-v", "/srv/data:/data:ro"},
	"host-pid":           {"--pid", "host"},
	"host-net":           {"--network", "host"},
	"host-ipc-uts":       {"--ipc", "host", "--uts", "host"},
	"net-container":      {"--network", "container:spec-other"},
	"pid-container":      {"--pid", "container:spec-other"},
	"net-user":           {"--network", "hatchdog-spec"},
	"readonly":           {"--read-only"},
	"init":               {"--init"},
	"device":             {"--device", "/dev/zero"},
	"tmpfs":              {"--tmpfs", "/run:size=1m"},
	"no-new-privileges":  {"--security-opt", "no-new-privileges"},
	"seccomp-unconfined": {"--security-opt", "seccomp=unconfined"},
	"systempaths":        {"--security-opt", "systempaths=unconfined"},
	"health":             {"--health-cmd", "true", "--health-interval", "1h"},
	"restart":            {"--restart", "on-failure:3"},
	"limits":             {"-m", "64m", "--memory-swap", "128m", "--pids-limit", "50", "--cpus", "0.5"},
	"sysctl":             {"--sysctl", "net.ipv4.ip_forward=1"},
	"tty":                {"-t"},
}

// The golden specs of the newest Docker are what it writes: the controls are
// proved on them. Whatever names or leaves out another field says so here.
func TestCurrentDockersSpecs(t *testing.T) {
	d := dockers[len(dockers)-1].start(t)
	if _, err := os.Stat("/srv/data"); err != nil {
		must(t, os.MkdirAll("/srv/data", 0o755))
		t.Cleanup(func() { _ = os.Remove("/srv/data") })
	}
	d.do(t, "network", "create", "hatchdog-spec")
	t.Cleanup(func() { d.try(t, "network", "rm", "hatchdog-spec"); d.try(t, "volume", "rm", "-f", "hatchdog-spec") })
	other := d.plain(t, "--name", "spec-other")
	for name, args := range currentSpecs {
		id := d.plain(t, args...)
		got := settled(d.specOf(t, id), map[string]string{id: strings.Repeat("ab", 32), other: strings.Repeat("cd", 32), d.dir + "/data": "/var/lib/docker"})
		d.do(t, "rm", "-f", id)
		wantGoldenSpec(t, "docker-current-"+name, got)
	}
}

// wantGoldenSpec compares which fields a spec has with those of the golden one,
// or writes that anew.
func wantGoldenSpec(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata/specs", name+".json")
	if *updateSpecs {
		must(t, os.WriteFile(file, got, 0o644))
		return
	}
	want, err := os.ReadFile(file)
	must(t, err)
	had, has := fieldsOf(t, want), fieldsOf(t, got)
	for _, f := range has {
		if !slices.Contains(had, f) {
			t.Errorf("%s: this engine writes %s, which the golden spec lacks: make golden-specs", file, f)
		}
	}
	for _, f := range had {
		if !slices.Contains(has, f) {
			t.Errorf("%s: this engine does not write %s, which the golden spec has: make golden-specs", file, f)
		}
	}
}

// plain starts a container without hatchdog, so that its spec is the engine's.
func (d *docker) plain(t *testing.T, args ...string) string {
	t.Helper()
	id := strings.TrimSpace(d.do(t, append(append([]string{"run", "-d"}, args...), "busybox", "sleep", "600")...))
	t.Cleanup(func() { d.try(t, "rm", "-f", id) })
	return id
}

func (d *docker) specOf(t *testing.T, id string) []byte {
	t.Helper()
	return []byte(read(t, d.dir+"/containerd/state/io.containerd.runtime.v2.task/moby/"+id+"/config.json"))
}

// settled replaces the names that differ on each run, by ones of the same form.
func settled(spec []byte, names map[string]string) []byte {
	text := string(spec)
	for from, to := range names {
		text = strings.ReplaceAll(text, from, to)
		if len(from) == 64 { // also what is short for an id
			text = strings.ReplaceAll(text, from[:12], to[:12])
		}
	}
	text = regexp.MustCompile(`/proc/\d+/ns/`).ReplaceAllString(text, "/proc/4242/ns/")
	return []byte(text)
}

// fieldsOf are the members of a document. Of a list, those of all elements count
// as those of one.
func fieldsOf(t *testing.T, document []byte) []string {
	t.Helper()
	var v any
	must(t, json.Unmarshal(document, &v))
	found := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, m := range v {
				found[path+"."+k] = true
				walk(path+"."+k, m)
			}
		case []any:
			for _, m := range v {
				walk(path+"[]", m)
			}
		default:
			found[fmt.Sprintf("%s (%T)", path, v)] = true
		}
	}
	walk("", v)
	return slices.Sorted(maps.Keys(found))
}
