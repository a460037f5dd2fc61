package run

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlacesOf(t *testing.T) {
	env := map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000", "HOME": "/home/u"}
	getenv := func(name string) string { return env[name] }
	p, err := PlacesOf("", 1000, getenv)
	if err != nil || p.Bundles != "/run/user/1000/hatchdog-run/boxes" || p.Known != "/home/u/.local/state/hatchdog/known" {
		t.Errorf("%+v %v", p, err)
	}
	env["XDG_STATE_HOME"] = "/home/u/state"
	if p, err = PlacesOf("", 1000, getenv); err != nil || p.Layers != "/home/u/state/hatchdog/layers" {
		t.Errorf("%+v %v", p, err)
	}
	// No variable moves root's.
	if p, err = PlacesOf("", 0, getenv); err != nil || p.Runtime != "/run/hatchdog-run" || p.Layers != "/var/lib/hatchdog-layers" {
		t.Errorf("%+v %v", p, err)
	}
	clear(env)
	if p, err = PlacesOf("", 1000, getenv); err == nil {
		t.Errorf("nowhere: %+v", p)
	}
}

// Where another can write, or put something in the place of a directory, no box is
// kept.
func TestPlacesThatOthersReach(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"": func(string) error { return nil },
		"a link that is ours": func(dir string) error {
			return errors.Join(os.Mkdir(dir+"2", 0o755), os.Remove(dir), os.Symlink(dir+"2", dir))
		},
		"all write above": func(dir string) error { return os.Chmod(dir, 0o777) },
		"all write to it": func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/boxes", 0o755), os.Chmod(dir+"/boxes", 0o777))
		},
		"another's": func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/layers", 0o700), os.Chown(dir+"/layers", 54321, 54321))
		},
		"another's above": func(dir string) error { return os.Chown(dir, 54321, 54321) },
		"a link":          func(dir string) error { return os.Symlink("/etc", dir+"/known") },
		"a file":          func(dir string) error { return os.WriteFile(dir+"/known", nil, 0o600) },
	} {
		if os.Geteuid() != 0 && strings.HasPrefix(name, "another's") {
			continue
		}
		dir := filepath.Join(t.TempDir(), "d")
		if err := errors.Join(os.Mkdir(dir, 0o755), spoil(dir)); err != nil {
			t.Fatal(err)
		}
		p, err := PlacesOf(dir, 0, os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		good := name == "" || name == "a link that is ours"
		for what, err := range map[string]error{"check": p.Check(), "make": p.Make(false)} {
			if (err == nil) != good {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}
