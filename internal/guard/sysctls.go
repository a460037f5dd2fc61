package guard

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// sysctls may be left out; the groups that may ping may be fewer.
var sysctls rule = object(func(name string) rule {
	return func(c *check, at string, before, after jsontext.Value) {
		if after == nil || equal(before, after) {
			return
		}
		if name != "net.ipv4.ping_group_range" || !fewerGroups(before, after) {
			c.refuse(at, "a sysctl that was not asked for")
		}
	}
})

const domainSetting = "kernel.domainname"

// domainName may take over what the setting of the same name asked for: both name
// the domain of the container's own UTS namespace (proc_sys_kernel(5)).
func domainName(c *check, at string, before, after jsontext.Value) {
	var was, is string
	if read(before, &was) && was == "" && read(after, &is) && is != "" && is == c.domains[0] && c.domains[1] == "" {
		return
	}
	same(c, at, before, after)
}

func fewerGroups(before, after jsontext.Value) bool {
	var was, is string
	if before == nil || !read(before, &was) || !read(after, &is) {
		return false
	}
	low1, high1, ok1 := groupRange(was)
	low2, high2, ok2 := groupRange(is)
	return ok1 && ok2 && low2 >= low1 && high2 <= high1 && low2 <= high2
}

func groupRange(s string) (low, high uint64, ok bool) {
	fields := strings.Fields(s)
	if len(fields) != 2 {
		return 0, 0, false
	}
	low, err1 := strconv.ParseUint(fields[0], 10, 32)
	high, err2 := strconv.ParseUint(fields[1], 10, 32)
	return low, high, err1 == nil && err2 == nil
}
