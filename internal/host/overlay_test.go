package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
)

func TestParseOverlay(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b:c", "d,e", "1/diff", "1/work", "1/merged", "l/X"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	merged := dir + "/1/merged"
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
		"data layer": {"rw,lowerdir=DIR/a::DIR/b", nil, "", nil, "cannot be told"},
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
