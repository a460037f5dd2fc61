package watch

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	born := time.Unix(1000, 0)
	began := born.Add(time.Hour)
	layered, folder := place{"0:50", true, born, began}, place{"8:1", false, time.Time{}, began}
	root := marked{1, "0:50", "/", "overlay", false}
	volume := marked{2, "8:1", "/vol", "ext4", false}
	sealed := marked{3, "8:1", "/ro", "ext4", true}
	for _, c := range []struct {
		name    string
		place   place
		on      marked
		unseen  bool
		changed time.Time
		want    string
	}{
		{"the image", layered, root, false, born.Add(-1), ""},
		{"the layer", layered, root, false, born, "layer"},
		{"the layer, written before a restart", layered, root, false, born.Add(time.Minute), "layer"},
		{"the image, on another mount of it", layered, marked{9, "0:50", "/mnt", "overlay", true}, false, born.Add(-1), ""},
		{"the layer, on a mount of it that is read-only", layered, marked{9, "0:50", "/mnt", "overlay", true}, false, began.Add(-1), "layer"},
		{"a mount that nobody sees", layered, marked{}, true, time.Time{}, "does not see"},
		{"another overlay", layered, marked{9, "0:51", "/o", "overlay", false}, false, time.Time{}, "can be written"},
		{"a volume", layered, volume, false, born.Add(-1), "can be written"},
		{"a read-only volume", layered, sealed, false, began.Add(-1), ""},
		{"a read-only volume, changed", layered, sealed, false, began, "/ro"},
		{"memory", layered, marked{4, "0:60", "/dev/shm", "tmpfs", false}, false, time.Time{}, "memory"},
		{"memory, read-only", layered, marked{4, "0:60", "/dev/shm", "tmpfs", true}, false, time.Time{}, "memory"},
		{"huge pages", layered, marked{4, "0:60", "/h", "hugetlbfs", true}, false, time.Time{}, "memory"},
		{"a server's, read-only", layered, marked{4, "0:60", "/f", "fuse.x", true}, false, time.Time{}, "a program answers"},
		{"a server's disk, read-only", layered, marked{4, "8:2", "/f", "fuseblk", true}, false, time.Time{}, "a program answers"},
		{"a server's, without a name", layered, marked{4, "0:60", "/f", "fuse", true}, false, time.Time{}, "a program answers"},
		{"a folder for a root", folder, marked{1, "8:1", "/", "ext4", false}, false, time.Time{}, "can be written"},
		{"a read-only folder for a root", folder, marked{1, "8:1", "/", "ext4", true}, false, born, ""},
	} {
		if got := c.place.verdict(c.on, !c.unseen, c.changed); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestParseMarked(t *testing.T) {
	for line, want := range map[string]marked{
		"22 27 0:21 / /vol ro,nosuid shared:7 - ext4 /dev/x rw":            {22, "0:21", "/vol", "ext4", true},
		"22 27 0:21 / /vol rw,nosuid - ext4 /dev/x ro,relatime":            {22, "0:21", "/vol", "ext4", true},
		"22 27 0:21 / / rw - overlay overlay rw,lowerdir=/ro,/a":           {22, "0:21", "/", "overlay", false},
		"x 27 0:21 / / rw - overlay overlay rw":                            {},
		"22 27 0:21 / /":                                                   {},
		"22 27 0:21 / /a\\040ro,b rw master:1 propagate_from:2 - xfs d rw": {22, "0:21", "/a\\040ro,b", "xfs", false},
	} {
		got, ok := parseMarked(line)
		if ok != (want != marked{}) || ok && got != want {
			t.Errorf("%q: %+v %v", line, got, ok)
		}
	}
	for in, want := range map[string]string{`/a\040b\134`: `/a b\`, `/a\04`: `/a\04`, `/\999`: `/\999`, "": ""} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Whoever lets containers go does it for all of them: one whose reader the kernel keeps
// holds up no other.
func TestCloseWaitsForNoReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	raw, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	kept, back, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		_ = raw.Control(func(uintptr) { close(kept); <-back })
	}()
	<-kept
	h := &Hold{group: r, quit: make(chan struct{})}
	closed := make(chan struct{})
	go func() { h.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("it waits for its reader")
	}
	close(back)
	<-gone
}
