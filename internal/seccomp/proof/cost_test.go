//go:build cgo

package proof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// timerEnv makes this test program a process that puts itself under the filter
// on standard input, makes one call so many times, and prints the nanoseconds
// of one.
const timerEnv = "HATCHDOG_SECCOMP_TIMER"

func timer(count string, in io.Reader) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if len(raw) > 0 {
		p, err := decodeProgram(raw)
		if err != nil {
			return err
		}
		filter := make([]unix.SockFilter, len(p))
		for i, in := range p {
			filter[i] = unix.SockFilter{Code: in.code, Jt: in.jt, Jf: in.jf, K: in.k}
		}
		prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
			return err
		}
	}
	for _, call := range [][3]uintptr{{unix.SYS_GETPPID}, {unix.SYS_IOCTL, ^uintptr(0), 0x5413}} {
		start := time.Now()
		for range n {
			_, _, _ = unix.RawSyscall(call[0], call[1], call[2], 0)
		}
		fmt.Println(float64(time.Since(start).Nanoseconds()) / float64(n))
	}
	return nil
}

func encodeProgram(p program) []byte {
	var b bytes.Buffer
	for _, in := range p {
		_ = binary.Write(&b, binary.LittleEndian, in) // a Buffer takes all
	}
	return b.Bytes()
}

// BenchmarkSyscall is what a filter adds to a call, of which the kernel knows
// the answer beforehand (getppid) and of which it does not (ioctl, where the
// table looks at arguments). Instructions are those of the program.
func BenchmarkSyscall(b *testing.B) {
	c := newCompiler(b)
	native := seccomp.Wish{Native: specs.ArchX86_64}
	filters := map[string]*specs.LinuxSeccomp{"none": nil}
	order := []string{"none", "docker"}
	for _, f := range dockers(b) {
		if len(f.Architectures) == 3 {
			filters["docker"] = f
		}
	}
	for _, name := range tables.Names() {
		table, err := tables.Load(name)
		if err != nil {
			b.Fatal(err)
		}
		f, err := seccomp.Parse(filters["docker"])
		if err != nil {
			b.Fatal(err)
		}
		filters[name] = seccomp.Intersect(f, table.Resolve(native), native).Spec
		order = append(order, name)
	}
	for _, name := range order {
		var p program
		start := time.Now()
		if filters[name] != nil {
			var err error
			if p, err = c.compile(filters[name]); err != nil {
				b.Fatal(err)
			}
		}
		took := time.Since(start)
		b.Run(name, func(b *testing.B) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), timerEnv+"="+strconv.Itoa(max(b.N, 1)))
			cmd.Stdin = bytes.NewReader(encodeProgram(p))
			out, err := cmd.Output()
			if err != nil {
				b.Fatal(errors.Join(err, errors.New(string(out))))
			}
			words := strings.Fields(string(out))
			for i, unit := range []string{"getppid-ns", "ioctl-ns"} {
				ns, err := strconv.ParseFloat(words[i], 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(ns, unit)
			}
			b.ReportMetric(float64(len(p)), "instructions")
			b.ReportMetric(float64(took.Microseconds())/1000, "compile-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
