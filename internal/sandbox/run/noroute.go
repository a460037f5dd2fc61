package run

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// noRoutes is how often something in the network namespace was sent where no way
// leads (IpOutNoRoutes and Ip6OutNoRoutes: kernel, snmp_counter.rst).
func noRoutes(net int) int64 {
	found := make(chan int64, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		if unix.Setns(net, unix.CLONE_NEWNET) != nil {
			found <- 0
			return
		}
		found <- outNoRoutes("/proc/thread-self/net/snmp", "/proc/thread-self/net/snmp6")
	}()
	return <-found
}

func outNoRoutes(v4, v6 string) int64 {
	var sum int64
	if data, err := os.ReadFile(v4); err == nil {
		var names []string
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) == 0 || f[0] != "Ip:" {
				continue
			}
			if names == nil {
				names = f
				continue
			}
			for i, name := range names {
				if name == "OutNoRoutes" && i < len(f) {
					n, _ := strconv.ParseInt(f[i], 10, 64)
					sum += n
				}
			}
		}
	}
	if n, ok := field(v6, "Ip6OutNoRoutes"); ok {
		sum += n
	}
	return sum
}
