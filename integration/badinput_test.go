package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestBadSpecs(t *testing.T) {
	config := func(d *direct) string { return d.bundle + "/config.json" }
	replace := func(f func(raw []byte) []byte) func(*testing.T, *direct) {
		return func(t *testing.T, d *direct) {
			raw, err := os.ReadFile(config(d))
			must(t, err)
			must(t, os.WriteFile(config(d), f(raw), 0o600))
		}
	}
	for name, c := range map[string]struct {
		make func(*testing.T, *direct)
		why  string
	}{
		"truncated": {replace(func(raw []byte) []byte { return raw[:len(raw)/2] }), "config.json"},
		"empty":     {replace(func([]byte) []byte { return nil }), "config.json"},
		"huge":      {replace(func(raw []byte) []byte { return append(raw, bytes.Repeat([]byte{' '}, 64<<20)...) }), "larger than 4 MiB"},
		"deep": {replace(func([]byte) []byte {
			return []byte(`{"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}")
		}), "nested deeper"},
		"duplicate key": {replace(func(raw []byte) []byte { return append([]byte(`{"process":{},`), raw[1:]...) }), "duplicate"},
		"other case":    {replace(func(raw []byte) []byte { return append([]byte(`{"PROCESS":{},`), raw[1:]...) }), "case"},
		"not UTF-8":     {replace(func(raw []byte) []byte { return append([]byte("{\"x\":\"\xff\","), raw[1:]...) }), "config.json"},
		"behind it":     {replace(func(raw []byte) []byte { return append(raw, raw...) }), "behind the document"},
		"not an object": {replace(func([]byte) []byte { return []byte("[]") }), "not a JSON object"},
		"wrong type":    {replace(func([]byte) []byte { return []byte(`{"process":{"args":"secret"}}`) }), "process.args"},
		"no /proc": {replace(func(raw []byte) []byte {
			return bytes.Replace(raw, []byte(`"destination":"/proc","type":"proc","source":"proc"`), []byte(`"destination":"/x","type":"tmpfs","source":"tmpfs"`), 1)
		}), "nothing is mounted at /proc"},
		"FIFO": {func(t *testing.T, d *direct) {
			must(t, os.Remove(config(d)))
			must(t, syscall.Mkfifo(config(d), 0o600))
		}, "not a regular file"},
		"symlink": {func(t *testing.T, d *direct) {
			must(t, os.Rename(config(d), config(d)+"x"))
			must(t, os.Symlink(config(d)+"x", config(d)))
		}, "symbolic link"},
		"directory": {func(t *testing.T, d *direct) { must(t, os.Remove(config(d))); must(t, os.Mkdir(config(d), 0o700)) }, "not a regular file"},
		"not there": {func(t *testing.T, d *direct) { must(t, os.Remove(config(d))) }, "no such file"},
		"no bundle": {func(_ *testing.T, d *direct) { d.bundle += "/nowhere" }, "no such file"},
		"open to others": {func(t *testing.T, d *direct) {
			must(t, os.Chmod(config(d), 0o666))
			must(t, os.Chmod(filepath.Dir(d.bundle), 0o755))
		}, "writable by users"},
		"spec of other": {func(t *testing.T, d *direct) { must(t, os.Chown(config(d), 1000, 1000)) }, "owned by another user"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t)
			good := d.bundle
			c.make(t, d)
			out, code := d.create(t)
			d.wantRefused(t, out, code, c.why)
			if strings.Contains(out, "secret") {
				t.Errorf("a value of the spec is printed: %s", out)
			}
			d.bundle = makeBundle(t, "true")
			_ = good
			d.wantCreated(t)
		})
	}
}

func TestBadPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		make func(*testing.T, *direct)
		why  string
	}{
		"does not parse":        {func(t *testing.T, d *direct) { must(t, os.WriteFile(d.policy, []byte("version: [1\n"), 0o600)) }, "policy"},
		"unknown key":           {func(t *testing.T, d *direct) { d.setPolicy(t, "moode: enforce\n") }, `did you mean "mode"`},
		"writable by others":    {func(t *testing.T, d *direct) { must(t, os.Chmod(d.policy, 0o666)) }, "writable by users"},
		"owned by another":      {func(t *testing.T, d *direct) { must(t, os.Chown(d.policy, 1000, 1000)) }, "owned by another user"},
		"not there":             {func(t *testing.T, d *direct) { must(t, os.Remove(d.policy)) }, "no such file"},
		"a profile that is not": {func(t *testing.T, d *direct) { d.setPolicy(t, "profile: restrictd\n") }, `did you mean "restricted"`},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t)
			c.make(t, d)
			out, code := d.create(t)
			d.wantRefused(t, out, code, c.why)
			must(t, os.RemoveAll(d.policy))
			d.setPolicy(t, "")
			d.wantCreated(t)
		})
	}
}

func TestBadRuntimes(t *testing.T) {
	script := func(text string) func(*testing.T, *direct) {
		return func(t *testing.T, d *direct) { must(t, os.WriteFile(d.dir+"/runc", []byte("#!/bin/sh\n"+text), 0o755)) }
	}
	for name, c := range map[string]struct {
		make func(*testing.T, *direct)
		why  string
	}{
		"missing":        {func(t *testing.T, d *direct) { must(t, os.Remove(d.dir+"/runc")) }, "not found"},
		"not executable": {func(t *testing.T, d *direct) { must(t, os.Chmod(d.dir+"/runc", 0o600)) }, "not an executable"},
		"hatchdog": {func(t *testing.T, d *direct) {
			must(t, os.Remove(d.dir+"/runc"))
			must(t, os.Symlink(d.bin, d.dir+"/runc"))
		}, "hatchdog itself"},
		"crashes":      {script("kill -SEGV $$"), "--version"},
		"hangs":        {script(`[ "$1" = --version ] && echo runc version 1.5.2 || exec sleep 30`), "no answer within 5s"},
		"known escape": {script(`[ "$1" = --version ] && echo runc version 1.1.5+ds1 || echo '{}'`), "CVE-2024-21626"},
		"unknown":      {script(`[ "$1" = --version ] && echo other version 1 || echo '{}'`), "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t)
			c.make(t, d)
			t.Parallel() // all scripts are written by now: none is busy (ETXTBSY)
			out, code := d.create(t)
			d.wantRefused(t, out, code, c.why)
		})
	}
}

// Debian's runc is used where the policy takes its version by name.
func TestAcceptedRuntime(t *testing.T) {
	d := newDirect(t)
	must(t, os.WriteFile(d.dir+"/runc", []byte(strings.Replace(fakeRuntime, "1.5.2", "1.1.5+ds1", 1)), 0o755))
	must(t, os.WriteFile(d.policy, []byte(strings.Replace(read(t, d.policy), d.dir+"/runc}", d.dir+"/runc, "+accepts("runc 1.1.5+ds1")+"}", 1)), 0o600))
	d.wantCreated(t)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return string(data)
}

func TestUnwritablePlaces(t *testing.T) {
	// In a mount namespace of its own, with a file system in memory that is full
	// or read-only in the place of one directory.
	inside := func(d *direct, place, options, fill string) (string, int) {
		script := `mkdir -p ` + place + ` && mount -t tmpfs -o ` + options + ` t ` + place + ` && ` + fill + `; exec "$0" "$@"`
		args := append([]string{"-m", "/bin/sh", "-c", script}, d.command(nil, "create", "--bundle", d.bundle, "c1").Args...)
		t.Setenv("HATCHDOG_POLICY", d.policy)
		return run(t, "unshare", args...)
	}
	full := func(dir string) string { return "dd if=/dev/zero of=" + dir + "/fill bs=1k 2>/dev/null" }
	t.Run("state read-only", func(t *testing.T) {
		d := newDirect(t)
		out, code := inside(d, d.dir+"/state", "ro", "true")
		d.wantRefused(t, out, code, "read-only file system")
	})
	t.Run("state full", func(t *testing.T) {
		d := newDirect(t)
		out, code := inside(d, d.dir+"/state", "size=4k,mode=700", full(d.dir+"/state"))
		d.wantRefused(t, out, code, "no space left")
	})
	t.Run("audit full", func(t *testing.T) {
		d := newDirect(t)
		out, code := inside(d, d.dir+"/log", "size=4k,mode=700", full(d.dir+"/log"))
		d.wantRefused(t, out, code, "audit.onFailure: refuse")
	})
	t.Run("audit full and the policy goes on", func(t *testing.T) {
		d := newDirect(t)
		must(t, os.WriteFile(d.policy, []byte(strings.Replace(read(t, d.policy), "audit.jsonl}", "audit.jsonl, onFailure: continue}", 1)), 0o600))
		out, code := inside(d, d.dir+"/log", "size=4k,mode=700", full(d.dir+"/log"))
		if code != 0 || d.starts(t) != 1 || !strings.Contains(out, "audit log could not be written") {
			t.Errorf("%d %s", code, out)
		}
	})
	t.Run("the engine's log", func(t *testing.T) {
		d := newDirect(t)
		must(t, os.Mkdir(d.dir+"/log.json", 0o700))
		must(t, os.Remove(d.bundle+"/config.json"))
		out, code := d.create(t)
		if code == 0 || d.starts(t) != 0 || !strings.Contains(out, "no such file") || !strings.Contains(out, "the log could not be written") {
			t.Errorf("%d %s", code, out)
		}
	})
}
