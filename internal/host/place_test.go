package host

import (
	"testing"

	"golang.org/x/sys/unix"
)

// What a descriptor says of its mount is what statx says.
func TestMountOfIsTheMountOfPlace(t *testing.T) {
	for _, path := range []string{"/", "/proc", "/dev", "/sys/kernel", t.TempDir()} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		at, err := placeOf(fd)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := mountOf(fd); err != nil || id != at.mount || id == 0 {
			t.Errorf("%s: %d %v, statx says %d", path, id, err, at.mount)
		}
	}
}
