package inside

import (
	"runtime"
	"testing"
)

func TestLoggedCalls(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the records are of amd64")
	}
	const head = "audit(1700000000.250:7): auid=4294967295 uid=1879048192 gid=0 ses=4294967295 subj=unconfined "
	for text, want := range map[string]Logged{
		head + `pid=42 comm="sh" exe="/bin/busybox" sig=0 arch=c000003e syscall=257 compat=0 ip=0x4 code=0x7ffc0000`: {42, 1879048192, "sh", "/bin/busybox", 257, false},
		head + `pid=42 comm=78207069643D3720 exe="/x" sig=0 arch=40000003 syscall=5 compat=1 ip=0x4 code=0x7ffc0000`: {42, 1879048192, "x pid=7 ", "/x", 5, true},
		head + `pid=42 comm="x" exe=(null) sig=0 arch=c000003e syscall=0 compat=0 ip=0x4 code=0x7ffc0000`:            {42, 1879048192, "x", "", 0, false},
	} {
		if got, ok := parseLogged(text); !ok || got != want {
			t.Errorf("%s: %+v %v", text, got, ok)
		}
	}
	for _, text := range []string{
		head + `pid=42 comm="sh" exe="/x" sig=0 arch=c000003e syscall=257 compat=0 ip=0x4 code=0x50001`,
		head + `pid=42 comm="sh" exe="/x" sig=31 arch=c000003e syscall=257 compat=0 ip=0x4 code=0x80000000`,
		head + `pid=42 comm="sh" exe="/x" sig=0 syscall=257 compat=0 ip=0x4 code=0x7ffc0000`,
		head + `comm="sh" exe="/x" arch=c000003e syscall=257 code=0x7ffc0000`,
		"", "pid", "code=0x7ffc0000",
	} {
		if got, ok := parseLogged(text); ok {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func FuzzLogged(f *testing.F) {
	f.Add(`pid=42 uid=0 comm="sh" exe="/x" sig=0 arch=c000003e syscall=257 compat=0 ip=0x4 code=0x7ffc0000`)
	f.Fuzz(func(t *testing.T, text string) {
		if l, ok := parseLogged(text); ok && l.Pid <= 0 {
			t.Errorf("%+v", l)
		}
	})
}
