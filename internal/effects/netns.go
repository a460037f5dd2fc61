package effects

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A pod's network namespace is made before its first container, and belongs to
// the host's user namespace. The root of another user namespace can neither
// mount sysfs for it nor set its sysctls: both is done from outside.

// Sysfs is a sysfs of the container's network namespace that stands for one
// that the container would mount itself.
type Sysfs struct{ Destination, Source string }

// foreignNet is the path of a network namespace of the host's user namespace,
// which the container joins; "" is none.
func (w *work) foreignNet() string {
	if w.Spec.Linux == nil {
		return ""
	}
	for _, ns := range w.Spec.Linux.Namespaces {
		if ns.Type == specs.NetworkNamespace && ns.Path != "" && w.Facts.Joined[ns.Path].Owner.Host {
			return ns.Path
		}
	}
	return ""
}

// network does in the network namespace what the container could not.
func (w *work) network(a *Acquired) error {
	path := w.foreignNet()
	if path == "" {
		return nil
	}
	fd, ok := w.Sources.Namespace(path)
	if !ok {
		return fmt.Errorf("linux.namespaces[network].path: %w", errNotHeld)
	}
	return inside(fd, func() error {
		for i, m := range w.Spec.Mounts {
			if m.Type != "sysfs" || isBind(m) {
				continue
			}
			at := filepath.Join(a.base, "sys"+strconv.Itoa(i))
			if err := unix.Mkdir(at, 0o711); err != nil {
				return fmt.Errorf("mounts[%s]: %w", m.Destination, err)
			}
			if err := unix.Mount("sysfs", at, "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, ""); err != nil {
				return fmt.Errorf("mounts[%s]: sysfs: %w", m.Destination, err)
			}
			a.Sysfs = append(a.Sysfs, Sysfs{Destination: m.Destination, Source: at})
		}
		return w.sysctls()
	})
}

// sysctls sets those of the network, and takes them off the spec.
func (w *work) sysctls() error {
	for _, key := range sortedKeys(w.Spec.Linux.Sysctl) {
		if !strings.HasPrefix(key, "net.") {
			continue
		}
		file := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
		if !strings.HasPrefix(file, "/proc/sys/net/") {
			return fmt.Errorf("linux.sysctl[%s]: %w", key, unix.EINVAL)
		}
		fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte(w.Spec.Linux.Sysctl[key]))
			_ = unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("linux.sysctl[%s]: %w", key, &os.PathError{Op: "write", Path: file, Err: err})
		}
		delete(w.Spec.Linux.Sysctl, key)
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// inside calls f in another network namespace, on this thread, and comes back.
func inside(other int, f func() error) error {
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer unix.Close(own)
	if err := unix.Setns(other, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	err = f()
	if berr := unix.Setns(own, unix.CLONE_NEWNET); berr != nil {
		return errors.Join(err, fmt.Errorf("back from the network namespace: %w", berr))
	}
	return err
}
