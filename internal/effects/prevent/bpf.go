package prevent

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errLayout = errors.New("it is not the guard's map of this version")

// The fields are pointers of Go and not numbers: a stack that moves takes them along.
// The layouts are those of machines of 64 bits.

// openMap opens a pinned map that has our layout (bpf(2), BPF_OBJ_GET).
func openMap(path string) (int, error) {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return -1, err
	}
	attr := struct {
		path  unsafe.Pointer
		fd    uint32
		flags uint32
	}{path: unsafe.Pointer(name)}
	fd, err := bpf(unix.BPF_OBJ_GET, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return -1, err
	}
	if err := ours(fd); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// ours asks what a map is like (BPF_OBJ_GET_INFO_BY_FD, struct bpf_map_info).
func ours(fd int) error {
	var info struct{ kind, id, key, value, most, flags uint32 }
	attr := struct {
		fd, size uint32
		info     unsafe.Pointer
	}{uint32(fd), uint32(unsafe.Sizeof(info)), unsafe.Pointer(&info)} //nolint:gosec // small
	_, err := bpf(unix.BPF_OBJ_GET_INFO_BY_FD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if err != nil {
		return err
	}
	if info.kind != unix.BPF_MAP_TYPE_HASH || info.key != KeySize || info.value != ValueSize {
		return errLayout
	}
	return nil
}

// update enters a value (BPF_MAP_UPDATE_ELEM).
func update(fd int, key uint64, value [ValueSize]byte) error {
	attr := struct {
		fd, _      uint32
		key, value unsafe.Pointer
		flags      uint64
	}{fd: uint32(fd), key: unsafe.Pointer(&key), value: unsafe.Pointer(&value)} //nolint:gosec // small
	_, err := bpf(unix.BPF_MAP_UPDATE_ELEM, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

func bpf(command int, attr unsafe.Pointer, size uintptr) (int, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil //nolint:gosec // a descriptor
}
