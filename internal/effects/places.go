package effects

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// makePlaces makes what is missing of the places to mount on, as the low-level
// runtime does (libcontainer, createMountpoint), but through the engine's own mount
// of the root file system: the engine's mount does not see a folder that another
// mount over the same layer makes, and docker cp fails there (ESTALE). The
// low-level runtime makes the places that this cannot.
func (w *work) makePlaces() {
	root, held := w.Sources.Root()
	if !held {
		return
	}
	var mounted []string
	for _, m := range w.Spec.Mounts {
		at := path.Clean("/" + m.Destination)
		src, known := w.Facts.Sources[m.Source]
		if !covered(at, mounted) {
			placeIn(root, at, isBind(m) && known && !src.Dir)
		}
		mounted = append(mounted, at)
	}
}

func covered(at string, mounted []string) bool {
	for _, m := range mounted {
		if at == m || strings.HasPrefix(at, strings.TrimSuffix(m, "/")+"/") {
			return true
		}
	}
	return false
}

// placeIn makes a folder, or an empty file, and the folders above it.
func placeIn(root int, at string, file bool) {
	parent := "/"
	names := strings.Split(strings.TrimPrefix(at, "/"), "/")
	for i, name := range names {
		next := path.Join(parent, name)
		if fd, err := inRoot(root, next); err == nil {
			_ = unix.Close(fd)
			parent = next
			continue
		}
		dir, err := inRoot(root, parent)
		if err != nil {
			return
		}
		if file && i == len(names)-1 {
			err = unix.Mknodat(dir, name, unix.S_IFREG|0o644, 0)
		} else {
			err = unix.Mkdirat(dir, name, 0o755)
		}
		_ = unix.Close(dir)
		if err != nil {
			return
		}
		parent = next
	}
}

// inRoot opens below the root file system, whose links lead within it.
func inRoot(root int, name string) (int, error) {
	return unix.Openat2(root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}
