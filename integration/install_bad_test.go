package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hatchctlReadOnly runs it where the engine's folder cannot be written.
func (i *installed) hatchctlReadOnly(t *testing.T, args ...string) (string, int) {
	t.Helper()
	const script = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`
	all := append([]string{"--mount", "sh", "-c", script, i.dir, tested.hatchctl}, args...)
	return run(t, "unshare", append(all, "--config", i.config, "--binary", tested.hatchdog)...)
}

// idle is a containerd that nobody starts.
func idle(t *testing.T, config string) *installed {
	t.Helper()
	program := cached(t, "containerd-v*/containerd")
	t.Setenv("PATH", filepath.Dir(program)+":"+os.Getenv("PATH"))
	i := newInstalled(t, program, config)
	must(t, os.WriteFile(i.dir+"/pid", nil, 0o600))
	return i
}

// Where /etc is read-only nothing is written, and no engine restarts for that.
func TestInstallReadOnly(t *testing.T) {
	i := idle(t, installConfig)
	before := read(t, i.config)
	marker := t.TempDir() + "/restarted"
	out, code := i.hatchctlReadOnly(t, "install", "containerd", "--restart", "--restart-with", "touch "+marker, "--alive-with", "true")
	if code == 0 || !strings.Contains(out, "read-only file system") || read(t, i.config) != before {
		t.Errorf("%d %s", code, out)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("the engine was restarted for nothing")
	}
	if _, code := i.hatchctl(t, "install", "containerd"); code != 0 {
		t.Fatal("it cannot be installed at all")
	}
	written := read(t, i.config)
	if out, code := i.hatchctlReadOnly(t, "install", "containerd"); code != 0 || !strings.Contains(out, "as it should be") {
		t.Errorf("nothing was to be written: %d %s", code, out)
	}
	if out, code := i.hatchctlReadOnly(t, "uninstall", "containerd"); code == 0 || read(t, i.config) != written {
		t.Errorf("%d %s", code, out)
	}
	if _, code := i.hatchctl(t, "uninstall", "containerd"); code != 0 || read(t, i.config) != before {
		t.Errorf("not as it was:\n%s", read(t, i.config))
	}
}

// A file that is imported and says otherwise wins in containerd: an install
// that would be without effect is not called one.
func TestInstallOverruled(t *testing.T) {
	i := idle(t, "imports = [\"conf.d/*.toml\"]\n"+installConfig)
	before := read(t, i.config)
	must(t, os.MkdirAll(i.dir+"/conf.d", 0o755))
	must(t, os.WriteFile(i.dir+"/conf.d/site.toml", []byte("version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd]\ndefault_runtime_name = 'runc'\n"), 0o644))
	out, code := i.hatchctl(t, "install", "containerd", "--set-default")
	if code == 0 || !strings.Contains(out, "the default runtime: a file that containerd's configuration imports overrules it") || read(t, i.config) != before {
		t.Errorf("%d %s\n%s", code, out, read(t, i.config))
	}
	if out, code := i.hatchctl(t, "install", "containerd"); code != 0 {
		t.Errorf("without the default it is fine: %s", out)
	}
}

// Unknown keys, comments and CRLF: containerd reads the result, and the end is
// the beginning.
func TestInstallOddFiles(t *testing.T) {
	for what, text := range map[string]string{
		"unknown": installConfig + "[unheard.of]\nx = 1 # theirs\n",
		"CRLF":    strings.ReplaceAll(installConfig, "\n", "\r\n"),
		"no end":  strings.TrimSpace(installConfig),
	} {
		t.Run(what, func(t *testing.T) {
			i := idle(t, text)
			before := read(t, i.config)
			if out, code := i.hatchctl(t, "install", "containerd", "--set-default"); code != 0 {
				t.Fatal(out)
			}
			dump := mustRun(t, "containerd", "--config", i.config, "config", "dump")
			wantLines(t, dump, "default_runtime_name = 'hatchdog'", tested.hatchdog)
			if out, code := i.hatchctl(t, "uninstall", "containerd"); code != 0 || read(t, i.config) != before {
				t.Errorf("%s\n%s", out, read(t, i.config))
			}
		})
	}
}

// Cut off between the backup and the file, or between the file and its check:
// the next run ends where the first one should have.
func TestInstallHalfFinished(t *testing.T) {
	i := idle(t, installConfig)
	before := read(t, i.config)
	must(t, os.WriteFile(i.config+".hatchdog-backup", []byte(before), 0o644))
	must(t, os.WriteFile(i.dir+"/.config.toml.hatchdog-new", []byte(before[:10]), 0o600))
	for range 2 {
		if out, code := i.hatchctl(t, "install", "containerd"); code != 0 {
			t.Fatal(out)
		}
	}
	if left, _ := filepath.Glob(i.dir + "/.config*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	// An edit by hand broke the block: said, and left alone.
	written := read(t, i.config)
	must(t, os.WriteFile(i.config, []byte(strings.Replace(written, "# END hatchdog", "", 1)), 0o644))
	if out, code := i.hatchctl(t, "install", "containerd"); code == 0 || !strings.Contains(out, "did not write") {
		t.Errorf("%d %s", code, out)
	}
	must(t, os.WriteFile(i.config, []byte(written), 0o644))
	if out, code := i.hatchctl(t, "uninstall", "containerd"); code != 0 || read(t, i.config) != before {
		t.Errorf("%d %s", code, out)
	}
}
