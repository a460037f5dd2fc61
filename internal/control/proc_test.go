package control

import "testing"

func TestOfProcess(t *testing.T) {
	for name, want := range map[string]bool{
		"/proc/self/fd/7": true, "/proc/thread-self/cwd": true, "/proc/1/root": true, "//proc/./self//fd/7/": true, "/x/../proc/12/cwd": true, "proc/self/fd/3": true,
		"/proc": false, "/proc/self": false, "/proc/sys/kernel": false, "/srv/proc/self/fd/7": false, "/": false, "": false, "/procs/1/fd": false,
	} {
		if got := OfProcess(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
