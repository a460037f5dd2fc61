package guard

import (
	"errors"
	"testing"
)

// Another path of a joined namespace is taken where it leads to the one that was
// examined, and for nothing else.
func TestHeldNamespaces(t *testing.T) {
	ids := map[string]uint64{"/proc/7/ns/net": 1, "/handle": 1, "/mnt/ns-network": 1, "/mnt/other": 2, "/proc/7/ns/user": 3, "/user": 3, "/mnt/ns-user": 3}
	identify := func(path string) (uint64, uint64, error) {
		if ids[path] == 0 {
			return 0, 0, errors.New("gone")
		}
		return 4, ids[path], nil
	}
	mapping := func(path string) ([][2]uint32, error) {
		if path != "/proc/7/ns/user" {
			return nil, errors.New("not of a process")
		}
		return [][2]uint32{{100000, 65536}}, nil
	}
	net := func(path string) string { return `{"linux":{"namespaces":[{"type":"network","path":"` + path + `"}]}}` }
	user := func(path string) string {
		return `{"linux":{"namespaces":[{"type":"pid"},{"type":"user","path":"` + path + `"}]}}`
	}
	join := Join{"network", "/proc/7/ns/net", "/mnt/ns-network", "/handle"}
	users := Join{"user", "/proc/7/ns/user", "/mnt/ns-user", "/user"}
	for name, c := range map[string]struct {
		before, after string
		join          Join
		ok            bool
	}{
		"held":                         {net("/proc/7/ns/net"), net("/mnt/ns-network"), join, true},
		"new instead":                  {net("/proc/7/ns/net"), `{"linux":{"namespaces":[{"type":"network"}]}}`, Join{}, true},
		"no evidence":                  {net("/proc/7/ns/net"), net("/mnt/ns-network"), Join{}, false},
		"for another path":             {net("/proc/8/ns/net"), net("/mnt/ns-network"), join, false},
		"another":                      {net("/proc/7/ns/net"), net("/mnt/other"), Join{"network", "/proc/7/ns/net", "/mnt/other", "/handle"}, false},
		"gone":                         {net("/proc/7/ns/net"), net("/gone"), Join{"network", "/proc/7/ns/net", "/gone", "/gone"}, false},
		"of another type":              {net("/proc/7/ns/net"), net("/mnt/ns-network"), Join{"ipc", "/proc/7/ns/net", "/mnt/ns-network", "/handle"}, false},
		"the host's":                   {net("/proc/7/ns/net"), `{"linux":{"namespaces":[]}}`, join, false},
		"a user namespace, held":       {`{"linux":{` + ownNamespaces + `}}`, user("/mnt/ns-user"), users, true},
		"a user namespace, unread":     {`{"linux":{` + ownNamespaces + `}}`, user("/mnt/ns-user"), Join{"user", "/proc/8/ns/user", "/mnt/ns-user", "/user"}, false},
		"a user namespace, of another": {`{"linux":{` + ownNamespaces + `}}`, user("/mnt/other"), Join{"user", "/proc/7/ns/user", "/mnt/other", "/mnt/other"}, false},
	} {
		ev := Evidence{Identify: identify, Mapping: mapping}
		if c.join != (Join{}) {
			ev.Joins = []Join{c.join}
		}
		if err := Check([]byte(c.before), []byte(c.after), ev); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
