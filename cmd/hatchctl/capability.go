package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
)

// capabilityNames are the capabilities that are known, as a spec spells them. Each
// stands at its number in the kernel (linux/capability.h), which has no gaps.
func capabilityNames() []string {
	var all []string
	for _, c := range capability.ListKnown() {
		all = append(all, "CAP_"+strings.ToUpper(c.String()))
	}
	return all
}

// capabilityName names a number of the kernel's, known or not.
func capabilityName(n int) string {
	if names := capabilityNames(); n >= 0 && n < len(names) {
		return names[n]
	}
	return fmt.Sprintf("capability %d", n)
}

func capabilityNumber(name string) (int, bool) {
	n := slices.Index(capabilityNames(), name)
	return n, n >= 0
}
