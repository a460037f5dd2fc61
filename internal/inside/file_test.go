package inside

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the kernel makes up is not read: of the kernel's log it would be taken away.
func TestFilesOfTheKernelAreNotRead(t *testing.T) {
	init, p := self(t)
	link := t.TempDir() + "/resolv.conf"
	for _, to := range []string{"/proc/kmsg", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		_ = os.Remove(link)
		must(t, os.Symlink(to, link))
		if text, err := ReadText(init, p, link); !errors.Is(err, errOfKernel) {
			t.Errorf("%s: %q %v", to, text, err)
		}
	}
}

// Reading leaves no mark.
func TestReadingLeavesTheAccessTime(t *testing.T) {
	init, p := self(t)
	file := t.TempDir() + "/file"
	must(t, os.WriteFile(file, []byte("text"), 0o600))
	long := time.Unix(1000, 0)
	must(t, os.Chtimes(file, long, time.Now()))
	if text, err := ReadText(init, p, file); text != "text" || err != nil {
		t.Fatalf("%q %v", text, err)
	}
	var st unix.Stat_t
	must(t, unix.Stat(file, &st))
	if st.Atim.Sec != 1000 {
		t.Errorf("read at %d", st.Atim.Sec)
	}
}

// A program's libraries are read through the program headers alone: one that says
// it has millions of sections costs nothing.
func TestReadELF(t *testing.T) {
	init, p := self(t)
	data, err := os.ReadFile("/bin/ls")
	must(t, err)
	file := t.TempDir() + "/ls"
	read := func() *Program {
		t.Helper()
		place, err := Look(init, p, file)
		must(t, err)
		defer place.Close()
		got, err := place.ReadProgram()
		must(t, err)
		return got
	}
	must(t, os.WriteFile(file, data, 0o600))
	whole := read()
	e, err := elf.Open("/bin/ls")
	must(t, err)
	libs, err := e.ImportedLibraries()
	must(t, err)
	if len(libs) == 0 || len(whole.Needed) != len(libs) || whole.Needed[0] != libs[0] || whole.Interpreter == "" {
		t.Errorf("%+v, want %v", whole, libs)
	}
	binary.LittleEndian.PutUint64(data[0x28:], uint64(len(data))) // e_shoff: section 0 has their number
	binary.LittleEndian.PutUint16(data[0x3c:], 0)
	section := make([]byte, 64)
	binary.LittleEndian.PutUint32(section[4:], 0)
	binary.LittleEndian.PutUint64(section[32:], 1<<22)
	must(t, os.WriteFile(file, append(data, section...), 0o600))
	must(t, os.Truncate(file, 1<<30))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := read(); len(got.Needed) != len(libs) {
		t.Errorf("%+v", got)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes", used)
	}
}

func FuzzReadELF(f *testing.F) {
	data, err := os.ReadFile("/bin/true")
	must(f, err)
	f.Add(data)
	f.Add(append([]byte("\x7fELF\x01\x01\x01"), bytes.Repeat([]byte{1}, 300)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := os.CreateTemp(t.TempDir(), "")
		must(t, err)
		defer file.Close()
		_, err = file.Write(data)
		must(t, err)
		p, err := readELF(file, data[:min(len(data), 256)])
		if err == nil && (len(p.Needed) > maxNeeded || len(p.Paths) > maxPaths) {
			t.Errorf("%d libraries, %d paths", len(p.Needed), len(p.Paths))
		}
	})
}

func TestReadScript(t *testing.T) {
	for line, want := range map[string]Program{
		"/bin/sh\n": {Kind: "script", Interpreter: "/bin/sh"}, " \t/bin/sh -e -u \nx": {Kind: "script", Interpreter: "/bin/sh", Argument: "-e -u"},
		"/bin/sh\r\n": {Kind: "script", Interpreter: "/bin/sh\r"}, "  \n/bin/sh": {}, "": {}, "/bin/\x00sh": {Kind: "script", Interpreter: "/bin/"},
	} {
		if got := readScript(line); got.Kind != want.Kind || got.Interpreter != want.Interpreter || got.Argument != want.Argument {
			t.Errorf("%q: %+v", line, got)
		}
	}
}
