package integration

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestExplainAndList(t *testing.T) {
	eachDocker(t, explainAndList)
}

func explainAndList(t *testing.T, d *docker) {
	id := d.background(t, "busybox", "sleep", "600")
	plain := strings.TrimSpace(d.do(t, "run", "-d", "--rm", "busybox", "sleep", "600"))
	t.Cleanup(func() { d.try(t, "rm", "-f", plain) })

	out, code := d.hatchctl(t, "explain", id[:12])
	if code != 0 {
		t.Fatal(out)
	}
	wantLines(t, out, "builtin/restricted", "process.capabilities.bounding", "process.noNewPrivileges", "tightened in", "runc 1.5.2")
	out, code = d.hatchctl(t, "explain", "--json", id)
	var decisions []struct {
		ID      string
		Outcome string
		Changes []struct{ Control, Field, After, Reason string }
	}
	if code != 0 || json.Unmarshal([]byte(out), &decisions) != nil || decisions[0].ID != id || decisions[0].Outcome != "tightened" || len(decisions[0].Changes) < 10 {
		t.Errorf("%d %s", code, out)
	}
	for _, ch := range decisions[0].Changes {
		if ch.Field == "" || ch.Reason == "" || ch.Control == "" {
			t.Errorf("unexplained: %+v", ch)
		}
	}
	out, _ = d.hatchctl(t, "explain", "--original", id)
	wantLines(t, out, `"CAP_NET_RAW"`, `"ociVersion"`)

	// The daemon's own directories, named as the system's are below /run.
	runDir := t.TempDir()
	must(t, os.Symlink(d.dir+"/exec", runDir+"/docker"))
	must(t, os.Symlink(d.dir+"/containerd/state", runDir+"/containerd"))
	out, code = d.hatchctl(t, "list", "--run-dir", runDir)
	if code != 0 {
		t.Fatal(out)
	}
	for short, want := range map[string]string{id[:12]: `\S+\s+busybox\s+yes\s+live\s+builtin/restricted\s+docker\s+runc 1.5.2\s+\d+`, plain[:12]: `\S+\s+busybox\s+NO\s+live\s+-\s+docker\s+runc\s+-`} {
		if found := regexp.MustCompile(`(?m)^`+short+`\s+`+want).FindAllString(out, -1); len(found) != 1 || strings.Count(out, short) != 1 {
			t.Errorf("%s is listed %d times as %s in\n%s", short, len(found), want, out)
		}
	}
	// By what containerd keeps alone: as for a runtime with a state of its own.
	onlyTasks := t.TempDir()
	must(t, os.Symlink(d.dir+"/containerd/state", onlyTasks+"/containerd"))
	out, _ = d.hatchctl(t, "list", "--run-dir", onlyTasks)
	if !regexp.MustCompile(`(?m)^`+plain[:12]+`\s+\S+\s+busybox\s+NO\s+live\s+-\s+docker\s+runc`).MatchString(out) || strings.Count(out, id[:12]) != 1 {
		t.Errorf("by containerd's state alone:\n%s", out)
	}

	refused, _ := d.try(t, "run", "--rm", "--name", "refused", "--runtime=hatchdog", "--pid=host", "busybox", "true")
	at := strings.LastIndex(refused, "hatchctl explain ")
	if at < 0 {
		t.Fatal(refused)
	}
	gone := strings.Fields(refused[at:])[2]
	out, code = d.hatchctl(t, "explain", strings.Trim(gone, ".:,'"))
	if code != 0 {
		t.Error(out)
	}
	wantLines(t, out, "refused", "linux.namespaces[pid]", "namespaces.host", "remedy")
}

func TestCheckOfARealSpec(t *testing.T) {
	eachDocker(t, checkOfARealSpec)
}

func checkOfARealSpec(t *testing.T, d *docker) {
	for name, want := range map[string]int{"docker-privileged": 2, "ctr-default": 1} {
		for _, format := range []string{"text", "json", "sarif"} {
			out, code := d.hatchctl(t, "check", "--format", format, "testdata/specs/"+name+".json")
			if code != want {
				t.Errorf("%s as %s: exit code %d\n%s", name, format, code, out)
			}
			if format != "text" && !json.Valid([]byte(out)) {
				t.Errorf("%s as %s is not JSON", name, format)
			}
		}
	}
	if out, code := d.hatchctl(t, "check", "/nowhere"); code != 3 {
		t.Errorf("%d %s", code, out)
	}
	// The bundle stays as Docker wrote it: it would be tightened again.
	id := d.background(t, "busybox", "sleep", "600")
	bundle := mustRun(t, "sh", "-c", "ls -d "+d.dir+"/containerd/state/io.containerd.runtime.v2.task/moby/"+id)
	out, code := d.hatchctl(t, "check", strings.TrimSpace(bundle))
	if code != 1 {
		t.Errorf("%d %s", code, out)
	}
}

func TestAuditLogIsWhole(t *testing.T) {
	eachDocker(t, auditLogIsWhole)
}

func auditLogIsWhole(t *testing.T, d *docker) {
	d.run(t, "busybox", "true")
	if out, code := d.hatchctl(t, "audit", "verify"); code != 0 {
		t.Error(out)
	}
	path := d.dir + "/log/audit.jsonl"
	data, err := os.ReadFile(path)
	must(t, err)
	copied := t.TempDir() + "/audit.jsonl"
	must(t, os.WriteFile(copied, []byte(strings.Replace(string(data), "restricted", "baseline..", 1)), 0o600))
	head, err := os.ReadFile(path + ".head")
	must(t, err)
	must(t, os.WriteFile(copied+".head", head, 0o600))
	if out, code := d.hatchctl(t, "audit", "verify", copied); code != 1 || !strings.Contains(out, "changed") {
		t.Errorf("%d %s", code, out)
	}
}
