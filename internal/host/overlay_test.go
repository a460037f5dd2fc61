package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

func TestParseOverlay(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b:c", "d,e", "1/diff", "1/work", "1/merged", "l/X"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	merged := dir + "/1/merged"
	const today = "default_permissions,redirect_dir=on,uuid=null,metacopy=on,verity=require,fsync=volatile,userxattr"
	for name, c := range map[string]struct {
		options string
		lower   []string
		upper   string
		rest    []string
		fails   string
	}{
		"plain":      {"rw,lowerdir=DIR/a,upperdir=DIR/1/diff,workdir=DIR/1/work,index=off", []string{"DIR/a"}, "DIR/1/diff", []string{"index=off"}, ""},
		"relative":   {"rw,lowerdir=l/X:a,upperdir=1/diff,workdir=1/work", []string{"DIR/l/X", "DIR/a"}, "DIR/1/diff", nil, ""},
		"escapes":    {`rw,lowerdir=DIR/b\134:c:DIR/d\054e`, []string{"DIR/b:c", "DIR/d,e"}, "", nil, ""},
		"new names":  {"rw,lowerdir+=DIR/a,lowerdir+=DIR/b:c,xino=off", []string{"DIR/a", "DIR/b:c"}, "", []string{"xino=off"}, ""},
		"data layer": {"rw,lowerdir=DIR/a::DIR/b", nil, "", nil, "layers of data alone"},
		"data":       {"rw,lowerdir+=DIR/a,datadir+=DIR/b", nil, "", nil, "layers of data alone"},
		"of today":   {"rw,seclabel,lowerdir=DIR/a," + today, []string{"DIR/a"}, "", strings.Split(today, ","), ""},
		"index":      {"rw,lowerdir=DIR/a,upperdir=DIR/1/diff,workdir=DIR/1/work,index=on", nil, "", nil, "no second overlay"},
		"index, ro":  {"ro,lowerdir=DIR/a,index=on,nfs_export=on", []string{"DIR/a"}, "", []string{"index=on", "nfs_export=on"}, ""},
		"context":    {`rw,context="s:o:t:s0:c1,c2",lowerdir=DIR/a`, nil, "", nil, "context"},
		"gone":       {"rw,lowerdir=DIR/gone", nil, "", nil, "is not there"},
		"unknown":    {"rw,lowerdir=DIR/a,fancy=on", nil, "", nil, "fancy"},
		"no work":    {"rw,lowerdir=DIR/a,upperdir=DIR/1/diff", nil, "", nil, "cannot be told"},
		"apart":      {"rw,lowerdir=DIR/a,upperdir=DIR/1/diff,workdir=DIR/l/X", nil, "", nil, "one directory"},
		"none":       {"rw", nil, "", nil, "cannot be told"},
	} {
		m := &mountinfo.Info{Options: "rw,relatime", VFSOptions: strings.ReplaceAll(c.options, "DIR", dir)}
		o, err := parseOverlay(m, merged)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %+v %v", name, o, err)
			}
			continue
		}
		want := []string{}
		for _, l := range c.lower {
			want = append(want, strings.ReplaceAll(l, "DIR", dir))
		}
		if err != nil || !slices.Equal(o.Lower, want) || o.Upper != strings.ReplaceAll(c.upper, "DIR", dir) || !slices.Equal(o.Options, c.rest) {
			t.Errorf("%s: %+v %v", name, o, err)
		}
	}
}

func FuzzSplitLayers(f *testing.F) {
	f.Add(`/a:/b\:c`, `x`)
	f.Fuzz(func(t *testing.T, a, b string) {
		escaped := func(s string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(s) }
		if got := splitLayers(escaped(a) + ":" + escaped(b)); len(got) != 2 || got[0] != a || got[1] != b {
			t.Errorf("%q and %q became %q", a, b, got)
		}
	})
}

func TestOverlayFlags(t *testing.T) {
	dir := t.TempDir()
	for options, want := range map[string]uintptr{
		"rw,relatime": 0, "ro,nosuid,nodev,noexec,relatime": unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, "rw,nosymfollow,noatime,nodiratime": unix.MS_NOSYMFOLLOW | unix.MS_NOATIME | unix.MS_NODIRATIME,
	} {
		o, err := parseOverlay(&mountinfo.Info{Options: options, VFSOptions: "rw,lowerdir=" + dir}, dir)
		if err != nil || o.Flags != want || o.ReadOnly != strings.HasPrefix(options, "ro") {
			t.Errorf("%s: %+v %v", options, o, err)
		}
	}
	if _, err := parseOverlay(&mountinfo.Info{Options: "rw,idmapped", VFSOptions: "rw,lowerdir=" + dir}, dir); err == nil {
		t.Error("a flag that is not known is taken")
	}
}
