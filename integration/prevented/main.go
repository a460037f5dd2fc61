// Command prevented tries, inside a container, what the kernel's guard can deny, and
// prints for each a line: its name, and "done" or the error. An argument is the pid of
// another container's process.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "none" {
		return
	}
	all := []struct {
		name string
		try  func() error
	}{
		{"image", func() error { return exec.Command("/bin/true").Run() }},
		{"anonymous", anonymous},
		{"layer", func() error { return runs("/tmp/copied") }},
		{"memory", func() error { return runs("/dev/shm/copied") }},
		{"frozen", frozen},
		{"reconfigured", reconfigured},
		{"volume", func() error { return runs("/data/copied") }},
		{"memfd", memfd},
		{"mapped", func() error { return mapped(unix.PROT_READ | unix.PROT_EXEC) }},
		{"protected", func() error { return mapped(unix.PROT_READ) }},
		{"mount", func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") }},
		{"fsmount", fsmount},
		{"umount", func() error { return unix.Unmount("/dev/mqueue", 0) }},
		{"bpf", bpf},
		{"init_module", func() error { return unix.InitModule(make([]byte, 4096), "") }},
		{"finit_module", finit},
	}
	for _, one := range all {
		fmt.Println(one.name, said(one.try()))
	}
	if len(os.Args) > 1 {
		pid, _ := strconv.Atoi(os.Args[1])
		fmt.Println("trace", said(trace(pid)))
	}
	fmt.Println("child", said(child()))
}

func said(err error) string {
	var errno unix.Errno
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// copied is this program again.
func copied(to io.Writer) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	_, err = io.Copy(to, self)
	return err
}

func runs(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return fmt.Errorf("no copy")
	}
	if err := errors.Join(copied(f), f.Close()); err != nil {
		return fmt.Errorf("no copy")
	}
	return exec.Command(path, "none").Run()
}

// frozen is a program in memory that is made read-only before it runs.
func frozen() error {
	if err := runs("/dev/shm/frozen"); err != nil && !errors.Is(err, unix.EPERM) {
		return err
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/dev/shm", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("it was not made read-only")
	}
	return exec.Command("/dev/shm/frozen", "none").Run()
}

func reconfigured() error {
	fs, err := unix.Fspick(unix.AT_FDCWD, "/dev/shm", 0)
	if err != nil {
		return err
	}
	return unix.FsconfigReconfigure(fs)
}

func memfd() error {
	fd, err := unix.MemfdCreate("x", 0)
	if err != nil {
		return err
	}
	if err := copied(os.NewFile(uintptr(fd), "x")); err != nil {
		return err
	}
	return exec.Command("/proc/"+strconv.Itoa(os.Getpid())+"/fd/"+strconv.Itoa(fd), "none").Run()
}

func anonymous() error {
	_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	return err
}

func mapped(prot int) error {
	f, err := os.Open("/tmp/copied")
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 4096, prot, unix.MAP_PRIVATE)
	if err != nil || prot&unix.PROT_EXEC != 0 {
		return err
	}
	return unix.Mprotect(m, unix.PROT_READ|unix.PROT_EXEC)
}

func fsmount() error {
	fs, err := unix.Fsopen("tmpfs", 0)
	if err != nil {
		return err
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return err
	}
	_, err = unix.Fsmount(fs, 0, 0)
	return err
}

func bpf() error {
	attr := [32]byte{0: 2, 4: 4, 8: 8, 12: 1} // an array of one
	_, _, errno := unix.Syscall(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return errno
	}
	return nil
}

func finit() error {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

func trace(pid int) error {
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	return nil
}

func child() error {
	cmd := exec.Command("/bin/sleep", "5")
	if err := cmd.Start(); err != nil {
		return err
	}
	return errors.Join(trace(cmd.Process.Pid), cmd.Process.Kill())
}
