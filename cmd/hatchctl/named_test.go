package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// named are records and audit events of containers with names.
func named(t *testing.T, live, logged []workload.Workload) *options {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(file, []byte("version: 1\nstateDir: "+dir+"/state\naudit: {path: "+dir+"/audit.jsonl}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "runc")
	for _, w := range live {
		claim, err := decision.Store{Base: dir + "/state"}.Claim(root, w.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := claim.Commit(&decision.Record{Decision: decision.Decision{ID: w.ID, Root: root, Door: "create", Workload: w, Runtime: decision.Runtime{Path: "/usr/bin/runc"}}}, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range logged {
		at := time.Unix(int64(i), 0)
		d := decision.Decision{ID: w.ID, Root: root, Door: "create", Workload: w, Time: at}
		if err := audit.Append(policy.Audit{Path: dir + "/audit.jsonl", MaxSize: 1 << 20, Keep: 1}, d, at); err != nil {
			t.Fatal(err)
		}
	}
	return &options{policyFile: file}
}

func pod(id, name string, sandbox bool) workload.Workload {
	return workload.Workload{ID: id, Engine: workload.CRI, Namespace: "shop", Pod: "front", Container: name, Sandbox: sandbox}
}

func TestFindByName(t *testing.T) {
	o := named(t, []workload.Workload{
		{ID: "aaaa000000000001", Engine: workload.Docker, Name: "web", Image: "nginx"},
		{ID: "aaaa000000000002", Engine: workload.Podman, Name: "db"},
		{ID: "bbbb000000000003", Engine: workload.Podman, Name: "web", Image: "httpd"},
		{ID: "cccc000000000004", Engine: workload.Docker, Name: "bbbb0000"},
		{ID: "dddd000000000005", Engine: workload.Docker, Name: "aaaa000000000002"},
		pod("eeee000000000006", "", true), pod("ffff000000000007", "app", false), pod("ffff000000000008", "side", false),
		{ID: "db-of-ctr", Engine: workload.Ctr},
	}, nil)
	for name, want := range map[string]string{
		"db": "aaaa000000000002", "aaaa000000000002": "aaaa000000000002", "aaaa000000000001": "aaaa000000000001",
		"shop/front": "eeee000000000006", "shop/front/app": "ffff000000000007", "cccc": "cccc000000000004", "db-of": "db-of-ctr",
	} {
		if e, err := o.one(name); err != nil || e.ID != want {
			t.Errorf("%s: %s %v", name, e.ID, err)
		}
	}
	for name, both := range map[string][2]string{
		"web": {"aaaa000000000001 (docker web nginx)", "bbbb000000000003 (podman web httpd)"}, "aaaa": {"aaaa000000000001", "aaaa000000000002"},
		"bbbb0000": {"bbbb000000000003", "cccc000000000004 (docker bbbb0000)"}, // a name that looks like another's id
	} {
		if _, err := o.one(name); !errors.Is(err, errManyContainers) || !strings.Contains(err.Error(), both[0]) || !strings.Contains(err.Error(), both[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "we", "aaa", "front", "shop/front/", "shop/front/other", "nobody"} {
		if e, err := o.one(name); err == nil {
			t.Errorf("%q: %s", name, e.ID)
		}
	}
}

// Of containers that are gone, the last of a name is meant.
func TestLookUpByNameInTheLog(t *testing.T) {
	o := named(t, nil, []workload.Workload{
		{ID: "aaaa000000000001", Engine: workload.Docker, Name: "web"},
		{ID: "aaaa000000000002", Engine: workload.Docker, Name: "db"},
		{ID: "bbbb000000000003", Engine: workload.Docker, Name: "web"},
		pod("cccc000000000004", "app", false), pod("cccc000000000005", "app", false),
	})
	for name, want := range map[string]string{"web": "bbbb000000000003", "db": "aaaa000000000002", "shop/front/app": "cccc000000000005", "bbbb": "bbbb000000000003"} {
		if found, err := o.lookUp(name); err != nil || len(found) != 1 || found[0].ID != want {
			t.Errorf("%s: %v %v", name, found, err)
		}
	}
	if _, err := o.lookUp("aaaa"); !errors.Is(err, errManyContainers) {
		t.Error(err)
	}
}
