// Package numbers names system calls by their numbers, as the kernel's records
// have them. It is apart from the names: hatchdog does without it.
package numbers

import (
	_ "embed"
	"strconv"
	"strings"
)

// One call on each line, from golang.org/x/sys/unix.
var (
	//go:embed amd64.txt
	amd64 string
	//go:embed arm64.txt
	arm64 string
)

// Names are the calls of an architecture (GOARCH) by number.
func Names(goarch string) map[int]string {
	all := map[int]string{}
	for line := range strings.Lines(map[string]string{"amd64": amd64, "arm64": arm64}[goarch]) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(number); err == nil {
			all[n] = name
		}
	}
	return all
}
