package run

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// Host finds where this host has its programs.
func Host() sandbox.System {
	s := sandbox.System{Dirs: []string{"/usr"}, Links: map[string]string{}}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix"} {
		info, err := os.Lstat(dir)
		switch {
		case err != nil: // this host has none
		case info.IsDir():
			s.Dirs = append(s.Dirs, dir)
		case info.Mode()&fs.ModeSymlink != 0:
			if to, err := os.Readlink(dir); err == nil {
				s.Links[dir] = to
			}
		}
	}
	for _, dir := range []string{"/etc/ssl/certs", "/etc/ca-certificates"} {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			s.Certificates = append(s.Certificates, dir)
		}
	}
	return s
}

// etc is what programs need of /etc to start, copied. A pattern of filepath.Glob.
var etc = []string{
	"alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "os-release", "debian_version",
	"mime.types", "protocols", "services", "magic", "inputrc", "terminfo", "ssl/openssl.cnf", "java-*", "maven", "python3*", "perl",
}

// maxEtc bounds a file that is copied, in bytes.
const maxEtc = 4 << 20

// skeleton makes the root file system: empty places to mount on, and an /etc that
// knows nobody of the host.
func skeleton(root string, b *sandbox.Box) error {
	for _, dir := range []string{"", "proc", "dev", "tmp", "run", "var/tmp", "etc", strings.TrimPrefix(sandbox.Home, "/")} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for at, to := range b.System.Links {
		if err := os.Symlink(to, filepath.Join(root, at)); err != nil {
			return err
		}
	}
	for _, pattern := range etc {
		found, err := filepath.Glob(filepath.Join("/etc", pattern))
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := copyOpen(f, filepath.Join(root, f)); err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
		}
	}
	if err := places(root, b); err != nil {
		return err
	}
	return written(root, b)
}

// places makes what is mounted on, outside of what is mounted itself.
func places(root string, b *sandbox.Box) error {
	dirs := append([]string{}, b.System.Dirs...)
	dirs = append(dirs, b.System.Certificates...)
	for _, g := range b.Grants {
		switch {
		case covered(g.Path):
		case g.Dir:
			dirs = append(dirs, g.Path)
		default:
			if err := os.MkdirAll(filepath.Join(root, filepath.Dir(g.Path)), 0o755); err != nil {
				return err
			}
			if err := empty(filepath.Join(root, g.Path)); err != nil {
				return err
			}
		}
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	return empty(filepath.Join(root, sandbox.InitAt))
}

// covered reports whether a path lies in a file system in memory, where the
// low-level runtime makes the places.
func covered(p string) bool {
	for _, dir := range []string{"/tmp/", "/run/", "/var/tmp/", "/dev/", "/proc/", sandbox.Home + "/"} {
		if strings.HasPrefix(p, dir) {
			return true
		}
	}
	return false
}

func empty(path string) error { return write(path, "") }

func write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func written(root string, b *sandbox.Box) error {
	uid, gid := b.UID, b.GID
	users := fmt.Sprintf("user:x:%d:%d::%s:/bin/sh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n", uid, gid, sandbox.Home)
	groups := fmt.Sprintf("user:x:%d:\nnogroup:x:65534:\n", gid)
	if uid != 0 {
		users = "root:x:0:0::/:/usr/sbin/nologin\n" + users
	}
	if gid != 0 {
		groups = "root:x:0:\n" + groups
	}
	for name, text := range map[string]string{
		"passwd": users, "group": groups, "hostname": "box\n", "hosts": "127.0.0.1 localhost box\n::1 localhost\n",
		"resolv.conf": "", "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n", "shells": "/bin/sh\n/bin/bash\n",
	} {
		if err := write(filepath.Join(root, "etc", name), text); err != nil {
			return err
		}
	}
	return nil
}

// copyOpen copies what all users of the host may read, links as they are.
func copyOpen(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case sandbox.Hidden(from) != "":
		return nil
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.Symlink(target, to)
	case mode.IsDir() && mode&0o005 == 0o005:
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		entries, err := os.ReadDir(from)
		for _, e := range entries {
			if filepath.Ext(e.Name()) == ".gz" {
				continue // links to pages of manuals, most of all links
			}
			if err := copyOpen(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
		return err
	case mode.IsRegular() && mode&0o004 != 0 && info.Size() <= maxEtc:
		return copyFile(from, to)
	}
	return nil // closed to others, or nothing to read
}

func copyFile(from, to string) error {
	in, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, maxEtc))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
