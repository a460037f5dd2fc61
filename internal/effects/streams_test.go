package effects

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"

	"github.com/hatchdog/hatchdog/internal/retest"
)

// What low-level runtimes would give to a container is the container's own or
// nobody else's; a file, a folder and a device with state of the host are kept.
func TestStreamsThatAreTheHosts(t *testing.T) {
	retest.NeedRoot(t, "make device nodes and files of others")
	dir := t.TempDir()
	open := func(name string, uid int) int {
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		if err := unix.Fchown(fd, uid, uid); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	folder, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(folder)
	memory, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(memory)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	log := dir + "/kmsg"
	if err := unix.Mknod(log, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 11))); err != nil {
		t.Fatal(err)
	}
	kmsg, err := unix.Open(log, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kmsg)

	ours := host.IDRange{Base: 1 << 30, Size: 1 << 16}
	inOurs := Streams{Runtime: "crun", UserNS: true, IDs: ours}
	for name, c := range map[string]struct {
		streams Streams
		fd      int
		kept    bool
	}{
		"root's file, crun":               {inOurs, open(dir+"/a", 0), true},
		"a user's file, crun":             {inOurs, open(dir+"/b", 1000), true},
		"the container's file, crun":      {inOurs, open(dir+"/c", 1<<30), false},
		"of the container next to it":     {inOurs, open(dir+"/d", 1<<30+1<<16), true},
		"an engine's user namespace":      {Streams{Runtime: "crun", UserNS: true}, open(dir+"/e", 1<<30), true},
		"root's file, runc as a user":     {Streams{Runtime: "runc", User: 1000}, open(dir+"/f", 0), true},
		"that user's own":                 {Streams{Runtime: "runc", User: 1000}, open(dir+"/g", 1000), false},
		"root's file, runc as root":       {Streams{Runtime: "runc"}, open(dir+"/h", 0), false},
		"runc, where the kernel keeps it": {Streams{Runtime: "runc", UserNS: true, IDs: ours}, open(dir+"/i", 0), false},
		"without root":                    {Streams{Runtime: "crun", UserNS: true, Euid: 1000}, open(dir+"/j", 0), false},
		"a folder":                        {inOurs, folder, true},
		"memory":                          {inOurs, memory, false},
		"a pipe":                          {inOurs, pipe[1], false},
		"the kernel's log":                {inOurs, kmsg, true},
		"a closed one":                    {inOurs, 4711, false},
	} {
		var err error
		if c.streams.gives() {
			err = c.streams.keep(c.fd)
		}
		if errors.Is(err, ErrGiven) != c.kept {
			t.Errorf("%s: %v", name, err)
		}
	}
}
