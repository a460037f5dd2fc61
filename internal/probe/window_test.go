package probe

import (
	"os"
	"testing"
)

// noisy uses capabilities of another user namespace, asks for sockets, and tries to
// write, each far more often than is told of in one window; then it makes a namespace.
const noisy = `import ctypes, os, socket, sys, time
sys.stdin.readline()
libc = ctypes.CDLL(None)
end = time.time() + 1
made = 0
while time.time() < end:
  for i in range(500):
    try: socket.socket(socket.AF_UNIX).connect("/no/such")
    except OSError: pass
    try: open("/proc/self/environ", "w")
    except OSError: pass
    libc.ptrace(0x4206, os.getpid(), 0, 0)
  if made < 3: libc.unshare(0x04000000)
  made += 1
`

// Whatever a container does too often hides nothing of another kind that it does.
func TestAFloodOfOneKindHidesNoOther(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for BPF")
	}
	w, err := StartWatch(true)
	must(t, err)
	defer w.Close()
	const strange = 1 // a user namespace: all of the host's capabilities are told of
	space := inPidSpace(t, w, strange, noisy)
	lost := w.Lost(space)
	told := map[int]int{}
	for _, s := range seen(t, w) {
		if s.Space == space && s.Kind == SawCall {
			told[s.Call]++
		}
	}
	if lost == 0 || told[CallConnect] < callsOfOne || told[CallUnshare] != 3 {
		t.Errorf("%d events were lost; told of %v", lost, told)
	}
}
