package argv

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func noEnv(string) string { return "" }

func never() bool { return false }

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		args   string
		door   Door
		verb   string
		id     string
		bundle string
		root   string
	}{
		{"create --bundle /b c1", Create, "create", "c1", "/b", "/run/runc"},
		{"create c1 --bundle /b", Create, "create", "c1", "/b", "/run/runc"},
		{"create -b=/b --no-pivot --pid-file p c1", Create, "create", "c1", "/b", "/run/runc"},
		{"--root /r --log=/l --log-format json --systemd-cgroup run -d -b /x c1", Run, "run", "c1", "/x", "/r"},
		{"-root /r -debug=false restore -image-path i -bundle /x c1", Restore, "restore", "c1", "/x", "/r"},
		{"exec c1 create --bundle /b c2", Exec, "exec", "c1", "", "/run/runc"},
		{"exec --process p -d --pid-file f c1", Exec, "exec", "c1", "", "/run/runc"},
		{"--root /r --log l start c1", Start, "start", "c1", "", "/r"},
		{"create --bundle create create", Create, "create", "create", "create", "/run/runc"},
		{"create --bundle /a --bundle /b c1", Create, "create", "c1", "/b", "/run/runc"},
		{"create --bundle /b -- c1", Create, "create", "c1", "/b", "/run/runc"},
		{"create --new-flag=x --bundle /b c1", Create, "create", "c1", "/b", "/run/runc"},
		{"create --help", None, "create", "", "", "/run/runc"},
		{"update --resources=- c1", Update, "update", "c1", "", "/run/runc"},
		{"update --memory 1g --pids-limit -1 c1", Update, "update", "c1", "", "/run/runc"},
		{"delete --force c1", Delete, "delete", "c1", "", "/run/runc"},
		{"kill --all c1 9", None, "kill", "c1", "", "/run/runc"},
		{"--version", None, "", "", "", "/run/runc"},
		{"", None, "", "", "", "/run/runc"},
		{"later --x y", None, "later", "", "", "/run/runc"},
		{"list -q", None, "list", "", "", "/run/runc"},
		{"features", None, "features", "", "", "/run/runc"},
		{"--cgroup-manager=disabled state c1", None, "state", "c1", "", "/run/runc"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			args := append([]string{"hatchdog"}, strings.Fields(tc.args)...)
			c, err := Parse(args, never, noEnv)
			if err != nil {
				t.Fatal(err)
			}
			if c.Door != tc.door || c.Verb != tc.verb || c.ID != tc.id || c.Bundle != tc.bundle || c.Global.Root != tc.root {
				t.Errorf("door %d verb %q id %q bundle %q root %q", c.Door, c.Verb, c.ID, c.Bundle, c.Global.Root)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for args, want := range map[string]error{
		"create":                          ErrOperands,
		"create a b":                      ErrOperands,
		"create --new-flag x c1":          ErrFlag, // x or c1?
		"exec --new-flag c1 c2":           ErrFlag,
		"--new-flag create --bundle b c1": ErrFlag,
		"create --bundle":                 ErrFlag,
		"delete --force=perhaps c1":       ErrFlag,
		"exec":                            ErrOperands,
		// crun takes a flag that is cut short, and has one for another document.
		"create --bun=/x c1":                              ErrFlag,
		"--roo=/x create --bundle /b c1":                  ErrFlag,
		"exec --proc=/x c1 sh":                            ErrFlag,
		"update --res=/x c1":                              ErrFlag,
		"create --bundle /b --config /x c1":               ErrFlag,
		"run --bundle /b -f=/x c1":                        ErrFlag,
		"--cgroup-manager=disabled create --bundle /b c1": ErrFlag,
		"--cgroup-manager disabled exec c1 sh":            ErrFlag,
	} {
		_, err := Parse(append([]string{"hatchdog"}, strings.Fields(args)...), never, noEnv)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", args, err, want)
		}
	}
}

func TestUnheld(t *testing.T) {
	c, err := Parse([]string{"hatchdog", "mounts", "add", "c1", "m.json"}, never, noEnv)
	if err != nil || c.Door != Unheld {
		t.Errorf("door %d %v", c.Door, err)
	}
}

func TestOneDash(t *testing.T) {
	for args, want := range map[string]string{
		"create --bundle /b c1":         "",
		"create -b /b c1":               "",
		"exec c1 sh -xe":                "",
		"create -bundle /b c1":          "-bundle",
		"exec -tp /x c1":                "-tp",
		"exec -p/x c1":                  "-p/x",
		"create -b=/b c1":               "-b=/b",
		"-root /r create --bundle /b c": "-root",
	} {
		c, err := Parse(append([]string{"hatchdog"}, strings.Fields(args)...), never, noEnv)
		if got := c.OneDash(); err == nil && got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

func TestDefaultRoot(t *testing.T) {
	env := func(string) string { return "/run/user/7" }
	if got := defaultRoot(func() bool { return true }, env); got != "/run/user/7/runc" {
		t.Error(got)
	}
	if got := defaultRoot(never, env); got != "/run/runc" {
		t.Error(got)
	}
}

func TestEdit(t *testing.T) {
	args := strings.Fields("hatchdog --root /r exec --cap CAP_CHOWN -c=CAP_KILL --apparmor x --no-new-privs=false -p f c1 sh -c x")
	c, err := Parse(args, never, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	same := c.Edit(func(_, v string) (string, bool) { return v, true })
	if !slices.Equal(same, args) {
		t.Errorf("an edit of nothing changed %q", same)
	}
	got := c.Edit(func(n, v string) (string, bool) {
		switch n {
		case "cap", "c":
			return v, v == "CAP_KILL"
		case "apparmor", "no-new-privs":
			return v, false
		case "p":
			return "/proc/self/fd/9", true
		}
		return v, true
	}, "--no-new-privs")
	want := strings.Fields("hatchdog --root /r exec --no-new-privs -c=CAP_KILL -p /proc/self/fd/9 c1 sh -c x")
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("--root /r create --bundle /b c1")
	f.Add("exec --cap X -- c1 sh")
	f.Fuzz(func(t *testing.T, line string) {
		args := append([]string{"hatchdog"}, strings.Split(line, " ")...)
		c, err := Parse(args, never, noEnv)
		if err != nil {
			return
		}
		if same := c.Edit(func(_, v string) (string, bool) { return v, true }); !slices.Equal(same, args) {
			t.Errorf("an edit of nothing changed %q to %q", args, same)
		}
	})
}
