package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// apparmorHost is a folder that stands for the kernel, with a parser that
// writes into it: -r loads what standard input names, -R takes it out.
type apparmorHost struct{ root, parser, policy string }

const fakeParser = `#!/bin/sh
list=%s/sys/kernel/security/apparmor/profiles
name=$(sed -n 's/^profile \([^ ]*\) .*/\1/p')
grep -v "^$name " $list >$list.new
[ "$1" = --remove ] || echo "$name (enforce)" >>$list.new
mv $list.new $list
`

func newApparmorHost(t *testing.T, loaded string) apparmorHost {
	t.Helper()
	h := apparmorHost{root: t.TempDir()}
	h.parser = filepath.Join(h.root, "parser")
	h.policy = filepath.Join(h.root, "policy.yaml")
	for name, text := range map[string]string{
		"sys/module/apparmor/parameters/enabled": "Y\n",
		"sys/kernel/security/apparmor/profiles":  loaded,
		"proc/self/attr/apparmor/current":        "unconfined\n",
		"proc/7/attr/apparmor/current":           "hatchdog-restricted (enforce)\n",
		"policy.yaml":                            "version: 1\nstateDir: " + h.root + "/state\n",
	} {
		path := filepath.Join(h.root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(h.parser, fmt.Appendf(nil, fakeParser, h.root), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h apparmorHost) run(args ...string) (string, error) {
	var out bytes.Buffer
	root := newRoot(false)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"apparmor", "--kernel-root", h.root, "--parser", h.parser, "--policy", h.policy}, args...))
	err := root.Execute()
	return out.String(), err
}

func (h apparmorHost) loaded() string {
	data, _ := os.ReadFile(filepath.Join(h.root, "sys/kernel/security/apparmor/profiles"))
	return string(data)
}

func TestApparmorLoadStatusUnload(t *testing.T) {
	h := newApparmorHost(t, "docker-default (enforce)\nhatchdog-baseline (complain)\n")
	out, err := h.run("status")
	var code exitError
	if !errors.As(err, &code) || code != 1 || !strings.Contains(out, "complain") || !strings.Contains(out, "not loaded") {
		t.Errorf("status before: %v\n%s", err, out)
	}
	if out, err := h.run("load"); err != nil || strings.Count(out, ": loaded") != 3 {
		t.Errorf("load: %v\n%s", err, out)
	}
	out, err = h.run("status", "--json")
	var s apparmorStatus
	if err != nil || json.Unmarshal([]byte(out), &s) != nil || len(s.Profiles) != 3 {
		t.Fatalf("status after: %v\n%s", err, out)
	}
	for _, r := range s.Profiles {
		if want := map[bool]int{true: 1}[r.Profile == "hatchdog-restricted"]; r.Mode != "enforce" || r.Processes != want {
			t.Errorf("%+v", r)
		}
	}
	out, err = h.run("unload")
	if err == nil || !strings.Contains(err.Error(), "hatchdog-restricted: 1 processes run under it") || strings.Count(out, ": unloaded") != 2 {
		t.Errorf("unload: %v\n%s", err, out)
	}
	if got := h.loaded(); got != "docker-default (enforce)\nhatchdog-restricted (enforce)\n" {
		t.Errorf("loaded: %s", got)
	}
	if out, err := h.run("unload", "--force"); err != nil {
		t.Errorf("unload --force: %v\n%s", err, out)
	}
	if got := h.loaded(); got != "docker-default (enforce)\n" {
		t.Errorf("loaded: %s", got)
	}
}

func TestApparmorFailures(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *apparmorHost) error
		args   string
		want   string
	}{
		"no parser": {func(h *apparmorHost) error { return os.Remove(h.parser) }, "load", "no such file"},
		"parser fails": {func(h *apparmorHost) error {
			return os.WriteFile(h.parser, []byte("#!/bin/sh\necho bad >&2\nexit 1\n"), 0o755)
		}, "load", "hatchdog-untrusted: "},
		"no securityfs":   {func(h *apparmorHost) error { return os.RemoveAll(h.root + "/sys/kernel/security") }, "load", "is securityfs mounted"},
		"the same, asked": {func(h *apparmorHost) error { return os.RemoveAll(h.root + "/sys/kernel/security") }, "status", "is securityfs mounted"},
		"no AppArmor":     {func(h *apparmorHost) error { return os.Remove(h.root + "/sys/module/apparmor/parameters/enabled") }, "load", "this host has no AppArmor"},
		"not ours":        {func(*apparmorHost) error { return nil }, "load docker-default", "not a profile that comes with hatchdog"},
		"not ours either": {func(*apparmorHost) error { return nil }, "unload docker-default", "not a profile that comes with hatchdog"},
		"nor to show":     {func(*apparmorHost) error { return nil }, "show docker-default", "not a profile that comes with hatchdog"},
	} {
		h := newApparmorHost(t, "docker-default (enforce)\n")
		if err := c.change(&h); err != nil {
			t.Fatal(err)
		}
		out, err := h.run(strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestApparmorStatusWithoutApparmor(t *testing.T) {
	h := newApparmorHost(t, "")
	if err := os.Remove(h.root + "/sys/module/apparmor/parameters/enabled"); err != nil {
		t.Fatal(err)
	}
	out, err := h.run("status")
	var code exitError
	if !errors.As(err, &code) || code != 1 || out != "this host has no AppArmor\n" {
		t.Errorf("%v %q", err, out)
	}
}

func TestApparmorShow(t *testing.T) {
	h := newApparmorHost(t, "")
	out, err := h.run("show", "hatchdog-untrusted")
	if err != nil || !strings.Contains(out, "\nprofile hatchdog-untrusted flags=") {
		t.Errorf("%v\n%s", err, out)
	}
}
