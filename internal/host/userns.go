package host

import (
	"os"
	"strings"
)

// InUserNamespace tells whether this process is in a user namespace that is not
// the host's: only the host's maps every id to itself (user_namespaces(7)).
func InUserNamespace() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !wholeMap(string(data))
}

func wholeMap(text string) bool {
	return strings.Join(strings.Fields(text), " ") == "0 0 4294967295"
}
