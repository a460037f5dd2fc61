package install

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/retest"
)

// What root reads and writes for an engine is nothing that another user can make
// another file of.
func TestFilesOfOthers(t *testing.T) {
	retest.NeedRoot(t, "give files to others")
	for name, c := range map[string]struct {
		prepare func(dir string) error // the configuration is DIR/etc/daemon.json
		refused bool
	}{
		"missing": {func(string) error { return nil }, false},
		"root's":  {func(dir string) error { return os.WriteFile(dir+"/etc/daemon.json", []byte("{}"), 0o644) }, false},
		"a link to root's": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/etc/real.json", []byte("{}"), 0o644), os.Symlink("real.json", dir+"/etc/daemon.json"))
		}, false},
		"a user's": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/etc/daemon.json", []byte("{}"), 0o644), os.Chown(dir+"/etc/daemon.json", 1000, 1000))
		}, true},
		"open to all": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/etc/daemon.json", []byte("{}"), 0o644), os.Chmod(dir+"/etc/daemon.json", 0o666))
		}, true},
		"a link into a user's folder": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/user/daemon.json", []byte("{}"), 0o644), os.Symlink("../user/daemon.json", dir+"/etc/daemon.json"))
		}, true},
		"in a user's folder": {func(dir string) error {
			return errors.Join(os.WriteFile(dir+"/etc/daemon.json", []byte("{}"), 0o644), os.Chown(dir+"/etc", 1000, 1000))
		}, true},
		"missing, in a user's folder": {func(dir string) error { return os.Chown(dir+"/etc", 1000, 1000) }, true},
		"missing, in one open to all": {func(dir string) error { return os.Chmod(dir+"/etc", 0o777) }, true},
		"missing, with its folder":    {func(dir string) error { return os.Remove(dir + "/etc") }, false},
		"a pipe":                      {func(dir string) error { return unix.Mkfifo(dir+"/etc/daemon.json", 0o600) }, true},
		"a link into nowhere of a user's": {func(dir string) error {
			return errors.Join(os.Symlink("../user/gone.json", dir+"/etc/daemon.json"))
		}, true},
	} {
		dir := t.TempDir()
		if err := errors.Join(os.Mkdir(dir+"/etc", 0o755), os.Mkdir(dir+"/user", 0o755), os.Chown(dir+"/user", 1000, 1000), c.prepare(dir)); err != nil {
			t.Fatal(name, err)
		}
		_, err := PlanInstall(filepath.Join(dir, "etc/daemon.json"), Docker{}, Options{Binary: "/usr/local/bin/hatchdog"})
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if c.refused && err != nil && name != "a pipe" && !errors.Is(err, errOthers) && !errors.Is(err, errNowhere) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
