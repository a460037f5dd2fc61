package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// apart runs f on a thread with a mount namespace of its own, which ends with it.
func apart(t *testing.T, f func(dir string) error) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never lets go: the thread ends
		err := errors.Join(unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
		if err == nil {
			err = f(dir)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// overlays mounts some, of which the names and the options differ.
func overlays(dir string, n int) error {
	for i := range n {
		at := filepath.Join(dir, fmt.Sprintf("some %d\\#:,ä", i))
		plain := filepath.Join(dir, fmt.Sprint("layers ", i))
		for _, sub := range []string{at, plain + "/l1", plain + "/l2", plain + "/u", plain + "/w"} {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return err
			}
		}
		flags := []uintptr{0, unix.MS_RDONLY, unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, unix.MS_NOATIME, unix.MS_STRICTATIME | unix.MS_NODIRATIME, unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC, unix.MS_LAZYTIME}[i%7]
		data := "lowerdir=" + plain + "/l1:" + plain + "/l2"
		if i%2 == 0 {
			data += ",upperdir=" + plain + "/u,workdir=" + plain + "/w" + []string{"", ",volatile", ",index=off"}[i%3]
		}
		if err := unix.Mount("overlay", at, "overlay", flags, data); err != nil {
			return fmt.Errorf("%s: %w", data, err)
		}
		if i%5 == 0 {
			if err := unix.Mount(plain+"/l1", plain+"/l2", "", unix.MS_BIND, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// hasStatmount is false before kernel 6.15: mountinfo is read there.
func hasStatmount(dir string) bool {
	var stx unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_MNT_ID_UNIQUE, &stx) != nil {
		return false
	}
	_, err := statmount(stx.Mnt_id, statSuper|statNames|statMask, make([]byte, 4096))
	return err == nil
}

// The kernel says the same in both ways.
func TestStatmountSaysWhatMountinfoSays(t *testing.T) {
	if os.Geteuid() != 0 {
		return // it needs mounts
	}
	apart(t, func(dir string) error {
		if !hasStatmount(dir) {
			return nil
		}
		if all, ok := listMounts(); ok && len(all) < many {
			return fmt.Errorf("%d mounts are not read from mountinfo", len(all))
		}
		if err := overlays(dir, 3*many); err != nil {
			return err
		}
		return bothWays()
	})
}

// bothWays reads the mounts in both ways, and compares them.
func bothWays() error {
	got, ok := listMounts()
	want, err := tableMounts()
	if err != nil || !ok || len(got) != len(want) {
		return fmt.Errorf("%d mounts (%v), not %d: %w", len(got), ok, len(want), err)
	}
	for i := range got {
		if err := same(&got[i], &want[i]); err != nil {
			return err
		}
	}
	return nil
}

func same(g, w *mount) error {
	if g.ID != w.ID || g.Major != w.Major || g.Minor != w.Minor || g.Root != w.Root || g.Mountpoint != w.Mountpoint || g.overlay() != w.overlay() {
		return fmt.Errorf("%+v, not %+v", g, w)
	}
	gi, err1 := g.info()
	wi, err2 := w.info()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if gi.Options != wi.Options || gi.VFSOptions != wi.VFSOptions || gi.FSType != wi.FSType && !strings.HasPrefix(wi.FSType, gi.FSType+".") {
		return fmt.Errorf("%+v, not %+v", gi, wi)
	}
	if !g.overlay() {
		return nil
	}
	at, ok := mountAt(g.Mountpoint, g.ID)
	if !ok {
		return fmt.Errorf("%s is not found", g.Mountpoint)
	}
	ai, err := at.info()
	if err != nil {
		return err
	}
	have, err1 := parseOverlay(ai, g.Mountpoint)
	want, err2 := parseOverlay(wi, g.Mountpoint)
	if !reflect.DeepEqual(have, want) || fmt.Sprint(err1) != fmt.Sprint(err2) {
		return fmt.Errorf("%+v, %w, not %+v, %w", have, err1, want, err2)
	}
	return nil
}

// Where mountinfo does not show a mount, because it is outside of the root, it is
// not here either.
func TestStatmountInAnotherRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	apart(t, func(dir string) error {
		if !hasStatmount(dir) {
			return nil
		}
		if err := errors.Join(overlays(dir, 2*many), os.Mkdir(dir+"/proc", 0o755), unix.Mount("/proc", dir+"/proc", "", unix.MS_BIND|unix.MS_REC, ""), unix.Chroot(dir)); err != nil {
			return err
		}
		return bothWays()
	})
}

// An answer that is short, or of another form, is none.
func TestStattedThatCannotBeRead(t *testing.T) {
	s := make(statted, 600)
	s[atRoot] = 200 // behind the end
	if _, err := s.mount(); !errors.Is(err, errStatmount) {
		t.Error(err)
	}
	for i := range s {
		s[i] = 1 // a text without an end
	}
	if _, err := s.mount(); !errors.Is(err, errStatmount) {
		t.Error(err)
	}
}
