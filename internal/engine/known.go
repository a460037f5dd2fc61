package engine

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Releases are the oldest and the newest that hatchdog was tried with
// (docs/compatibility.md), as "20.10" and "29".
type Releases struct{ Oldest, Newest string }

// Runtimes are those of the low-level runtimes, by their names. An older one may have
// a known way out of the container, which the policy is asked about.
func Runtimes() map[string]Releases {
	return map[string]Releases{"runc": {"1.1", "1.5"}, "crun": {"1.8", "1.28"}}
}

// Other says in a few words what is with a version beside them; "" is one of
// them, or one that cannot be told.
func (r Releases) Other(version string) string {
	words := ""
	switch {
	case !numbered(version):
		return ""
	case compare(version, r.Oldest) < 0:
		words = "older"
	case compare(version, r.Newest) > 0:
		words = "newer"
	default:
		return ""
	}
	if r.Oldest == r.Newest {
		return fmt.Sprintf("%s than the release that hatchdog was tried with, %s", words, r.Oldest)
	}
	return fmt.Sprintf("%s than the releases that hatchdog was tried with, %s to %s", words, r.Oldest, r.Newest)
}

// compare looks at the numbers that release has: 29.4.1 is 29.
func compare(version, release string) int {
	have := strings.Split(version, ".")
	for i, part := range strings.Split(release, ".") {
		if i >= len(have) {
			return -1
		}
		if c := cmp.Compare(number(have[i]), number(part)); c != 0 {
			return c
		}
	}
	return 0
}

func numbered(version string) bool {
	return version != "" && version[0] >= '0' && version[0] <= '9'
}

// number reads the digits that a part begins with: "0-rc1" is 0.
func number(part string) int {
	end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		part = part[:end]
	}
	n, _ := strconv.Atoi(part) // none is 0
	return n
}
