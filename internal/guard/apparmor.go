package guard

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// apparmorOrder is what is known to be stricter than what stands before it.
// Each group is of one strictness.
func apparmorOrder() [][]string {
	return [][]string{
		{"", "unconfined"},
		{"docker-default", "cri-containerd.apparmor.d", "nerdctl-default", "crio-default"},
		{"hatchdog-baseline"},
		{"hatchdog-restricted"},
		{"hatchdog-untrusted"},
	}
}

func strictness(name string) int {
	for i, group := range apparmorOrder() {
		for _, n := range group {
			if n == name {
				return i
			}
		}
	}
	// Podman's name for the engines' profile carries its version.
	if v, ok := strings.CutPrefix(name, "containers-default-"); ok && v != "" && strings.Trim(v, ".0123456789") == "" {
		return 1
	}
	return -1
}

// oneProfile reports whether a name stands for one profile of this namespace,
// and not for a namespace (:) or a stack (//&).
func oneProfile(name string) bool {
	const signs = "._/+@-"
	for _, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && !strings.ContainsRune(signs, r) {
			return false
		}
	}
	return name != ""
}

// apparmorProfile may step to one that is known to be stricter, and from none
// to any single one that the kernel enforces. A further process without a
// profile has its container's, of which nothing is known here.
func apparmorProfile(c *check, at string, before, after jsontext.Value) {
	var was, is string
	if !read(before, &was) || !read(after, &is) {
		c.refuse(at, errShape.Error())
		return
	}
	if was == is {
		return
	}
	from, to := strictness(was), strictness(is)
	switch {
	case c.exec && (was == "" || is == ""):
		c.refuse(at, "not the profile of the container")
	case from >= 0 && to > from:
	case from == 0 && to < 0 && oneProfile(is) && c.evidence.Enforced != nil && c.evidence.Enforced(is):
	default:
		c.refuse(at, "not known to be stricter")
	}
}
