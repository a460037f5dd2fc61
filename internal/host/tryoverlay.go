package host

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// overlays tells whether overlay takes layers with a mapping (5.19), by mounting
// one with a mapped copy of a real layer, on a thread that ends with it. The
// layer is only read.
func (p *idmapProbe) overlays(layer string) Support {
	return p.keep("overlay", func() (Support, bool) {
		if err := p.carrier(); err != nil {
			return no("%v", err), false
		}
		result := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends, its mounts with it
			result <- tryOverlay(p.userns, layer)
		}()
		err := <-result
		if err != nil {
			return no("overlay on layers with an id mapping, which the kernel has from 5.19 on: %v", err), errors.Is(err, unix.EINVAL)
		}
		return Support{OK: true}, true
	})
}

func tryOverlay(userns int, layer string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, layer, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := Idmap(tree, userns, 0); err != nil {
		return err
	}
	dir := "/tmp" // any directory will do: nobody but this thread sees what is on it
	if !exists(dir) {
		dir = "/run"
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return err
	}
	for _, name := range []string{"/mapped", "/other", "/merged"} {
		if err := unix.Mkdir(dir+name, 0o755); err != nil {
			return err
		}
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, dir+"/mapped", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	return MountOverlay(dir, dir+"/merged", "lowerdir=mapped:other", unix.MS_RDONLY, probeRange())
}
