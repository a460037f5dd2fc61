package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func opts(setDefault bool) Options { return Options{"/usr/local/bin/hatchdog", setDefault} }

const (
	tomlV2 = `# kept
version = 2
imports = ["/etc/other.toml"]
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "pause"
    [plugins."io.containerd.grpc.v1.cri".containerd]
      default_runtime_name = "runc" # ours
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
          SystemdCgroup = true
[unheard.of]
x = 1
`
	tomlV3 = `version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd]
snapshotter = "overlayfs"
`
)

// formats with the files that they meet.
var cases = map[string]struct {
	f   Format
	raw []byte
}{
	"docker, none":       {Docker{}, nil},
	"docker, empty":      {Docker{}, []byte("{}\n")},
	"docker, full":       {Docker{}, []byte(`{"debug":true,"runtimes":{"x":{"path":"/x","runtimeArgs":["--a"]}},"n":1e3,"default-runtime":"x"}`)},
	"docker, CRLF":       {Docker{}, []byte("{\r\n  \"debug\": true\r\n}\r\n")},
	"containerd 2":       {Containerd{Version: 2}, []byte(tomlV2)},
	"containerd 2, CRLF": {Containerd{Version: 2}, []byte(strings.ReplaceAll(tomlV2, "\n", "\r\n"))},
	"containerd 3":       {Containerd{Version: 3}, []byte(tomlV3)},
	"containerd, no end": {Containerd{Version: 3}, []byte(strings.TrimSpace(tomlV3))},
	"containerd, none":   {Containerd{Version: 3}, nil},
	"containerd, other":  {Containerd{Version: 3}, []byte("version = 3\n")},
	"k3s, none":          {Template{Containerd{Fragment: true, Version: 2}}, nil},
	"k3s, theirs":        {Template{Containerd{Fragment: true, Version: 3}}, []byte(base + "[debug]\nlevel = \"x\"\n")},
	"crio, none":         {CRIO(), nil},
	"podman, none":       {Podman(), nil},
	"systemd unit, none": {BuildKit(), nil},
}

// Install is idempotent; uninstall brings back the very bytes.
func TestThereAndBack(t *testing.T) {
	for what, c := range cases {
		for _, setDefault := range []bool{false, true} {
			if _, k3s := c.f.(Template); k3s && setDefault {
				continue
			}
			t.Run(what, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "etc", "config")
				if c.raw != nil {
					must(t, os.MkdirAll(filepath.Dir(path), 0o755))
					must(t, os.WriteFile(path, c.raw, 0o640))
				}
				e, err := PlanInstall(path, c.f, opts(setDefault))
				must(t, err)
				if d, ok := c.f.(DropIn); ok && d.WithDefault && !setDefault {
					if e.Changes() {
						t.Errorf("builds are routed unasked:\n%s", e.After)
					}
					return
				}
				if !e.Changes() || !bytes.Contains(e.After, []byte("hatchdog")) {
					t.Fatalf("%s", e.After)
				}
				_, err = e.Apply()
				must(t, err)
				again, err := PlanInstall(path, c.f, opts(setDefault))
				must(t, err)
				if again.Changes() {
					t.Errorf("not idempotent:\n%s\n--\n%s", again.Before, again.After)
				}
				_, err = again.Apply()
				must(t, err)
				back, err := PlanUninstall(path, c.f, opts(false))
				must(t, err)
				_, err = back.Apply()
				must(t, err)
				got, err := os.ReadFile(path)
				if c.raw == nil {
					if err == nil {
						t.Errorf("left: %s", got)
					}
				} else if !bytes.Equal(got, c.raw) {
					t.Errorf("not as it was:\n%s", got)
				}
				if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o640 {
					t.Error("mode changed:", info.Mode())
				}
				if left, _ := filepath.Glob(filepath.Dir(path) + "/*hatchdog*"); len(left) > 0 {
					t.Error("left:", left)
				}
			})
		}
	}
}

// What somebody else changed in between stays.
func TestUninstallKeepsLaterChanges(t *testing.T) {
	for what, c := range map[string]struct {
		f        Format
		raw, add string
	}{
		"docker":     {Docker{}, `{"debug": true}`, ""},
		"containerd": {Containerd{Version: 3}, tomlV3, "\n[later]\nx = 1\n"},
	} {
		path := filepath.Join(t.TempDir(), "config")
		must(t, os.WriteFile(path, []byte(c.raw), 0o600))
		e, err := PlanInstall(path, c.f, opts(true))
		must(t, err)
		_, err = e.Apply()
		must(t, err)
		now, err := os.ReadFile(path)
		must(t, err)
		now = append(now, c.add...)
		if what == "docker" {
			now = bytes.Replace(now, []byte("true"), []byte("false"), 1)
		}
		must(t, os.WriteFile(path, now, 0o600))
		e, err = PlanUninstall(path, c.f, opts(false))
		must(t, err)
		if bytes.Contains(e.After, []byte("hatchdog")) || bytes.Equal(e.After, []byte(c.raw)) {
			t.Errorf("%s: %s", what, e.After)
		}
		if what == "docker" && !bytes.Contains(e.After, []byte("false")) || what == "containerd" && !bytes.Contains(e.After, []byte("[later]")) {
			t.Errorf("%s: a change is lost: %s", what, e.After)
		}
	}
}

func TestDockerText(t *testing.T) {
	got, err := Docker{}.Add([]byte(`{"debug":true,"runtimes":{"x":{"path":"/x"}},"n":1e3}`), opts(true))
	must(t, err)
	var v struct {
		Debug    bool
		N        json.Number
		Runtimes map[string]struct{ Path string }
		Default  string `json:"default-runtime"`
	}
	must(t, json.Unmarshal(got, &v))
	if !v.Debug || v.N != "1e3" || v.Runtimes["x"].Path != "/x" || v.Runtimes["hatchdog"].Path != "/usr/local/bin/hatchdog" || v.Default != "hatchdog" {
		t.Errorf("%s", got)
	}
}

func TestContainerdText(t *testing.T) {
	got, err := Containerd{Version: 2}.Add([]byte(tomlV2), opts(true))
	must(t, err)
	var v map[string]any
	must(t, toml.Unmarshal(got, &v))
	cri := lookup(v, "plugins", "io.containerd.grpc.v1.cri", "containerd")
	h := lookup(cri, "runtimes", "hatchdog")
	if h["runtime_type"] != "io.containerd.runc.v2" || cri["default_runtime_name"] != "hatchdog" {
		t.Errorf("%s", got)
	}
	if o := lookup(h, "options"); o["BinaryName"] != "/usr/local/bin/hatchdog" || o["SystemdCgroup"] != true {
		t.Error("the node's cgroup driver is not the runtime's:", o)
	}
	if !strings.HasPrefix(string(got), "# kept\nversion = 2\n") {
		t.Errorf("%s", got)
	}
}

func TestLeftAlone(t *testing.T) {
	for what, c := range map[string]struct {
		f    Format
		raw  string
		want error
	}{
		"docker, broken":       {Docker{}, `{"debug": tru`, ErrParse},
		"docker, comment":      {Docker{}, "{\n// no\n}", ErrParse},
		"docker, twice":        {Docker{}, `{"a":1,"a":2}`, ErrParse},
		"docker, a list":       {Docker{}, `[]`, ErrParse},
		"docker, wrong":        {Docker{}, `{"runtimes":[]}`, ErrParse},
		"docker, behind":       {Docker{}, `{} {}`, ErrParse},
		"containerd, broken":   {Containerd{Version: 2}, "version = \n", ErrParse},
		"containerd, oldest":   {Containerd{Version: 2}, "root = \"/x\"\n", ErrVersion},
		"containerd, newest":   {Containerd{Version: 3}, "version = 9\n", ErrVersion},
		"containerd, theirs":   {Containerd{Version: 3}, tomlV3 + "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.hatchdog]\n", ErrConflict},
		"docker, theirs":       {Docker{}, `{"runtimes":{"hatchdog":{"path":"/opt/kata"}}}`, ErrConflict},
		"docker, odd":          {Docker{}, `{"runtimes":{"hatchdog":"x"}}`, ErrConflict},
		"containerd, no CRI":   {Containerd{Version: 3}, "disabled_plugins = [\"cri\"]\n", ErrNoCRI},
		"containerd, cut off":  {Containerd{Version: 3}, cutOff + "options.BinaryName = '/usr/local/bin/hatchdog'\n", ErrConflict},
		"containerd, inline":   {Containerd{Version: 3}, "version = 3\nplugins = {}\n", ErrLost},
		"drop-in of another's": {CRIO(), "[crio]\n", ErrConflict},
	} {
		if got, err := c.f.Add([]byte(c.raw), opts(false)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v\n%s", what, err, c.want, got)
		}
	}
}

// A run that was cut off behind the backup is repaired by the next.
func TestHalfFinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	must(t, os.WriteFile(path, []byte(tomlV3), 0o600))
	must(t, os.WriteFile(path+backupSuffix, []byte("version = 2\n# of an older run"), 0o600))
	e, err := PlanInstall(path, Containerd{Version: 3}, opts(false))
	must(t, err)
	_, err = e.Apply()
	must(t, err)
	if got, _ := os.ReadFile(path + backupSuffix); string(got) != tomlV3 {
		t.Errorf("%s", got)
	}
}

func FuzzContainerd(f *testing.F) {
	f.Add([]byte(tomlV2), true)
	f.Add([]byte(tomlV3), false)
	f.Fuzz(func(t *testing.T, raw []byte, setDefault bool) {
		c := Containerd{Version: 3}
		after, err := c.Add(raw, opts(setDefault))
		if err != nil {
			return
		}
		if again, err := c.Add(after, opts(setDefault)); err != nil || !bytes.Equal(after, again) {
			t.Errorf("not idempotent: %v\n%q\n%q", err, after, again)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
