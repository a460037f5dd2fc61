package bundle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func realSpecs(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("../../integration/testdata/specs/*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no captured specs: %v", err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		if strings.Contains(f, "exec") {
			continue // a process, not a spec
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all[filepath.Base(f)] = raw
	}
	return all
}

func TestDecodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		raw  string
		want string
	}{
		"empty":          {"", "unexpected EOF"},
		"truncated":      {`{"process":{"user":`, "unexpected EOF"},
		"trailing":       {`{} {}`, ErrTrailing.Error()},
		"array":          {`[]`, ErrNotObject.Error()},
		"null":           {`null`, ErrNotObject.Error()},
		"duplicate":      {`{"hostname":"a","hostname":"b"}`, "/hostname: duplicate"},
		"duplicate deep": {`{"linux":{"resources":{"pids":{"limit":1,"limit":2}}}}`, "duplicate"},
		"case":           {`{"process":{},"Process":{}}`, ErrAmbiguous.Error()},
		"case alone":     {`{"linux":{"ſeccomp":{}}}`, ErrAmbiguous.Error()},
		"utf8":           {"{\"hostname\":\"\xff\"}", "UTF-8"},
		"deep":           {`{"x":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`, ErrTooDeep.Error()},
		"huge":           {`{"x":"` + strings.Repeat("x", MaxSize) + `"}`, ErrTooLarge.Error()},
		"type":           {`{"process":{"args":"secret"}}`, "process.args"},
	} {
		_, err := Decode[specs.Spec]([]byte(tc.raw))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes the document", name)
		}
	}
}

func TestWithIsLossless(t *testing.T) {
	raw := []byte(`{ "ociVersion":"1.0.2","x-a":1e0,"mounts":[{"destination":"/a","x-m":{"b":1}},{"destination":"/b","type":"tmpfs"}],
	 "process":{"x-p":[1.50],"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/"},"annotations":{"k":"v","gone":"x"},"linux":{"x-l":null}}`)
	d, err := Decode[specs.Spec](raw)
	if err != nil {
		t.Fatal(err)
	}
	wantUnknown := []string{"/linux/x-l", "/mounts/0/x-m", "/process/x-p", "/x-a"}
	if !reflect.DeepEqual(d.Unknown, wantUnknown) {
		t.Errorf("unknown: %v", d.Unknown)
	}
	var after specs.Spec
	if err := json.Unmarshal(raw, &after); err != nil {
		t.Fatal(err)
	}
	after.Mounts = append([]specs.Mount{{Destination: "/new", Type: "tmpfs"}}, after.Mounts...)
	after.Mounts[1].Options = []string{"ro"}
	after.Process.NoNewPrivileges = true
	delete(after.Annotations, "gone")
	got, err := d.With(&after)
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{`"x-a":1e0`, `"x-m":{"b":1}`, `"x-p":[1.50]`, `"x-l":null`} {
		if !strings.Contains(string(got.Raw), kept) {
			t.Errorf("lost %s in %s", kept, got.Raw)
		}
	}
	if got.Unknown[1] != "/mounts/1/x-m" || got.Value.Mounts[1].Options[0] != "ro" {
		t.Errorf("%v %v", got.Unknown, got.Value.Mounts)
	}
	again, err := got.With(&after)
	if err != nil || string(again.Raw) != string(got.Raw) {
		t.Errorf("a second edit changed the document: %v", err)
	}
}

func TestRealSpecs(t *testing.T) {
	for name, raw := range realSpecs(t) {
		d, err := Decode[specs.Spec](raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same, err := d.With(d.Value)
		if err != nil || same != d {
			t.Errorf("%s: an edit of nothing changed it: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"process":{"user":{"uid":0}},"mounts":[{"destination":"/a"}]}`), "x")
	for _, raw := range realSpecs(f) {
		f.Add(raw, "x")
	}
	f.Fuzz(func(t *testing.T, raw []byte, hostname string) {
		d, err := Decode[specs.Spec](raw)
		if err != nil {
			return
		}
		var after specs.Spec
		if err := json.Unmarshal(raw, &after); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		after.Hostname = hostname
		after.Mounts = after.Mounts[min(1, len(after.Mounts)):]
		if got, err := d.With(&after); err == nil && !jsontext.Value(got.Raw).IsValid() {
			t.Fatal("the result is not JSON")
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(dir string) error
		want error
	}{
		"missing": {func(string) error { return nil }, os.ErrNotExist},
		"fifo":    {func(d string) error { return unix.Mkfifo(d+"/config.json", 0o600) }, ErrNotRegular},
		"folder":  {func(d string) error { return os.Mkdir(d+"/config.json", 0o700) }, ErrNotRegular},
		"symlink": {func(d string) error { return os.Symlink("/dev/null", d+"/config.json") }, ErrNotRegular},
		"writable": {func(d string) error {
			if err := os.WriteFile(d+"/config.json", []byte("{}"), 0o600); err != nil {
				return err
			}
			return errors.Join(os.Chmod(d+"/config.json", 0o666), os.Chmod(filepath.Dir(d), 0o755))
		}, ErrWritable},
	} {
		dir := t.TempDir()
		if err := tc.make(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if _, err := Open(t.TempDir() + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no bundle: %v", err)
	}
}

func TestSeal(t *testing.T) {
	fd, err := Seal([]byte("x"), 50)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if fd < 50 {
		t.Errorf("descriptor %d", fd)
	}
	if _, err := unix.Write(fd, []byte("y")); !errors.Is(err, unix.EPERM) {
		t.Errorf("a sealed file was written to: %v", err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("the runtime would not inherit it: %v", err)
	}
}

func BenchmarkDecode(b *testing.B) {
	raw := realSpecs(b)["docker-default.json"]
	for b.Loop() {
		if _, err := Decode[specs.Spec](raw); err != nil {
			b.Fatal(err)
		}
	}
}
