package effects

import (
	"fmt"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// attachCopy mounts the copy of the root file system in our directory, or where that
// is barred to the container's root, over what was examined, where the engine has
// made a way: Podman 5 without root mounts it below /var/tmp for the runtime alone.
func (w *work) attachCopy(a *Acquired, r *Root) error {
	if !w.barred(a.base) {
		return attach(w.root, r.After, true)
	}
	r.After = r.Before
	at := r.Before
	if !filepath.IsAbs(at) {
		at = filepath.Join(w.Facts.Bundle, at)
	}
	// The directory in the mount namespace that we are in now.
	fd, err := unix.Open(at, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	defer unix.Close(fd)
	if !sameFile(fd, r.Fd) {
		return fmt.Errorf("%s: it is not the directory that was examined", at)
	}
	const intoEmptyPath = 0x40 // MOVE_MOUNT_T_EMPTY_PATH (linux/mount.h)
	if err := unix.MoveMount(w.root, "", fd, "", unix.MOVE_MOUNT_F_EMPTY_PATH|intoEmptyPath); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return unix.Mount("", fmt.Sprintf("/proc/self/fd/%d", w.root), "", unix.MS_SLAVE|unix.MS_REC, "")
}

// barred says that the root of a user namespace that the engine asked for cannot
// pass through to our directory, and that we are not the host's root: runc opens the
// engine's path again, where others than root may have put something else meanwhile.
func (w *work) barred(base string) bool {
	if w.Facts.Euid == 0 || !w.IDs.Empty() || w.Spec.Linux == nil || len(w.Spec.Linux.UIDMappings) == 0 {
		return false
	}
	for dir := base; dir != "/"; dir = filepath.Dir(dir) {
		var st unix.Stat_t
		if unix.Stat(dir, &st) != nil || !passes(&st, w.Spec.Linux.UIDMappings) {
			return true
		}
	}
	return false
}

// passes: by the owner's bits or everybody's. The group's are not counted.
func passes(st *unix.Stat_t, mappings []specs.LinuxIDMapping) bool {
	for _, m := range mappings {
		if m.ContainerID == 0 && m.HostID == st.Uid {
			return st.Mode&unix.S_IXUSR != 0
		}
	}
	return st.Mode&unix.S_IXOTH != 0
}

func sameFile(a, b int) bool {
	dev1, ino1, err1 := host.Identify(fmt.Sprintf("/proc/self/fd/%d", a))
	dev2, ino2, err2 := host.Identify(fmt.Sprintf("/proc/self/fd/%d", b))
	return err1 == nil && err2 == nil && dev1 == dev2 && ino1 == ino2
}
