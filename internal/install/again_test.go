package install

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cutOff is a block whose last line somebody took away.
const cutOff = "version = 3\n" + blockBegin + "\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.hatchdog]\nruntime_type = 'io.containerd.runc.v2'\n"

func apply(t *testing.T, e Edit, err error) (undo func() error) {
	t.Helper()
	must(t, err)
	undo, err = e.Apply()
	must(t, err)
	return undo
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %v\n%s", path, err, got)
	}
}

// An upgrade installs again, without flags and maybe with the program in
// another place: what names no runtime runs under hatchdog as before, and
// uninstalling still gives the file as it was.
func TestAgainKeepsTheDefault(t *testing.T) {
	for what, c := range cases {
		if _, k3s := c.f.(Template); k3s {
			continue
		}
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config")
			if c.raw != nil {
				write(t, path, string(c.raw))
			}
			e, err := PlanInstall(path, c.f, opts(true))
			apply(t, e, err)
			again, err := PlanInstall(path, c.f, opts(false))
			must(t, err)
			if again.Changes() {
				t.Errorf("the default is lost:\n%s\n--\n%s", again.Before, again.After)
			}
			moved, err := PlanInstall(path, c.f, Options{Binary: "/usr/bin/hatchdog"})
			must(t, err)
			if want := bytes.ReplaceAll(e.After, []byte("/usr/local/bin/hatchdog"), []byte("/usr/bin/hatchdog")); !bytes.Equal(moved.After, want) {
				t.Errorf("want\n%s\n--\n%s", want, moved.After)
			}
			apply(t, moved, nil)
			back, err := PlanUninstall(path, c.f, opts(false))
			must(t, err)
			if (back.After == nil) != (c.raw == nil) || !bytes.Equal(back.After, c.raw) {
				t.Errorf("not as it was:\n%s", back.After)
			}
		})
	}
}

// The default that was there comes back also where others changed the file.
func TestUninstallGivesTheOldDefaultBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.json")
	write(t, path, `{"default-runtime":"nvidia"}`)
	e, err := PlanInstall(path, Docker{}, opts(true))
	apply(t, e, err)
	write(t, path, strings.Replace(string(e.After), "{", `{"debug":true,`, 1))
	back, err := PlanUninstall(path, Docker{}, opts(false))
	apply(t, back, err)
	if got := string(back.After); !strings.Contains(got, `"nvidia"`) || !strings.Contains(got, "debug") || strings.Contains(got, "hatchdog") {
		t.Error(got)
	}
	// One that somebody set since is theirs.
	write(t, path, `{"default-runtime":"nvidia"}`)
	e, err = PlanInstall(path, Docker{}, opts(true))
	apply(t, e, err)
	write(t, path, strings.Replace(string(e.After), `"default-runtime": "hatchdog"`, `"default-runtime": "kata"`, 1))
	back, err = PlanUninstall(path, Docker{}, opts(false))
	must(t, err)
	if !strings.Contains(string(back.After), `"kata"`) {
		t.Errorf("%s", back.After)
	}
}

// An undo gives back the file and what was kept of it.
func TestUndo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	write(t, path, tomlV3)
	e, err := PlanInstall(path, Containerd{Version: 3}, opts(false))
	must(t, apply(t, e, err)())
	wantFile(t, path, tomlV3)
	if _, err := os.Stat(path + backupSuffix); err == nil {
		t.Error("the backup of nothing is left")
	}
	apply(t, e, nil)
	back, err := PlanUninstall(path, Containerd{Version: 3}, opts(false))
	undo := apply(t, back, err)
	wantFile(t, path, tomlV3)
	must(t, undo())
	wantFile(t, path, string(e.After))
	wantFile(t, path+backupSuffix, tomlV3)
}

// An old backup is not laid over a file that hatchdog is not in.
func TestUninstallWithoutInstall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	write(t, path, tomlV3)
	write(t, path+backupSuffix, "version = 3\n# old\n")
	back, err := PlanUninstall(path, Containerd{Version: 3}, opts(false))
	apply(t, back, err)
	wantFile(t, path, tomlV3)
}

// The base of k3s has the table of the default runtime: a second one would keep
// its containerd from starting.
func TestRancherDefault(t *testing.T) {
	for _, raw := range [][]byte{nil, []byte(base)} {
		if got, err := (Template{Containerd{Fragment: true, Version: 3}}).Add(raw, opts(true)); !errors.Is(err, ErrDefault) {
			t.Errorf("%v\n%s", err, got)
		}
	}
}

// CRI-O takes no annotations there but its own, and does not start with others.
func TestCRIOText(t *testing.T) {
	if text := CRIO().Text(opts(true)); strings.Contains(text, "allowed_annotations") || !strings.Contains(text, `runtime_path = "/usr/local/bin/hatchdog"`) {
		t.Error(text)
	}
}

// What an administrator wrote by hand, and is what we would write, is left; so
// is what is not.
func TestByHand(t *testing.T) {
	const ours = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd]\ndefault_runtime_name = 'runc'\n" +
		"[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.hatchdog.options]\nBinaryName = '/usr/local/bin/hatchdog'\n"
	for what, c := range map[string]struct {
		raw        string
		setDefault bool
		want       error
	}{
		"ours":            {ours, false, nil},
		"not the default": {ours, true, ErrConflict},
		"the default":     {strings.Replace(ours, "'runc'", "'hatchdog'", 1), true, nil},
		"the shim":        {strings.Replace(ours, ".options]\nBinaryName = '/usr/local/bin/hatchdog'", "]\nruntime_type = 'io.containerd.hatchdog.v1'", 1), false, nil},
		"another place":   {strings.Replace(ours, "/usr/local", "/opt", 1), false, ErrConflict},
	} {
		got, err := Containerd{Version: 3}.Add([]byte(c.raw), opts(c.setDefault))
		if !errors.Is(err, c.want) || err == nil && string(got) != c.raw {
			t.Errorf("%s: %v\n%s", what, err, got)
		}
	}
}
