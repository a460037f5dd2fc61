package guard

import (
	"errors"
	"strings"
	"testing"
)

const ownNamespaces = `"namespaces":[{"type":"pid"}]`

func TestUserNamespaceMayBeAdded(t *testing.T) {
	before := `{"linux":{` + ownNamespaces + `}}`
	after := func(namespace, mappings string) string {
		return `{"linux":{"namespaces":[{"type":"pid"}` + namespace + `],"uidMappings":` + mappings + `,"gidMappings":` + mappings + `}}`
	}
	const user = `,{"type":"user"}`
	for name, c := range map[string]struct {
		before, after string
		ok            bool
	}{
		"own ids":              {before, after(user, `[{"containerID":0,"hostID":100000,"size":65536}]`), true},
		"two lines":            {before, after(user, `[{"containerID":0,"hostID":100000,"size":10},{"containerID":10,"hostID":200000,"size":10}]`), true},
		"the host's root":      {before, after(user, `[{"containerID":0,"hostID":0,"size":1}]`), false},
		"a user of the host":   {before, after(user, `[{"containerID":0,"hostID":1000,"size":1}]`), false},
		"up to the end":        {before, after(user, `[{"containerID":0,"hostID":4294967000,"size":65536}]`), false},
		"nothing":              {before, after(user, `[{"containerID":0,"hostID":100000,"size":0}]`), false},
		"an id twice outside":  {before, after(user, `[{"containerID":0,"hostID":100000,"size":10},{"containerID":10,"hostID":100005,"size":10}]`), false},
		"an id twice inside":   {before, after(user, `[{"containerID":0,"hostID":100000,"size":10},{"containerID":5,"hostID":200005,"size":10}]`), false},
		"no host id":           {before, after(user, `[{"containerID":0,"size":10}]`), false},
		"without a namespace":  {before, after(``, `[{"containerID":0,"hostID":100000,"size":65536}]`), false},
		"joined, no evidence":  {before, after(`,{"type":"user","path":"/proc/5/ns/user"}`, `[{"containerID":0,"hostID":100000,"size":65536}]`), false},
		"one was there":        {after(user, `[{"containerID":0,"hostID":100000,"size":65536}]`), after(user, `[{"containerID":0,"hostID":200000,"size":65536}]`), false},
		"one was there, kept":  {after(user, `[{"containerID":0,"hostID":1,"size":2}]`), after(user, `[{"containerID":0,"hostID":1,"size":2}]`), true},
		"the old one left out": {after(user, `[{"containerID":0,"hostID":100000,"size":65536}]`), before, false},
	} {
		if err := Check([]byte(c.before), []byte(c.after), Evidence{}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJoinedUserNamespace(t *testing.T) {
	before, after := `{"linux":{`+ownNamespaces+`}}`, `{"linux":{"namespaces":[{"type":"pid"},{"type":"user","path":"/p"}]}}`
	for name, c := range map[string]struct {
		lines [][2]uint32
		err   error
		ok    bool
	}{
		"own ids":     {[][2]uint32{{100000, 65536}}, nil, true},
		"host's root": {[][2]uint32{{100000, 65536}, {0, 1}}, nil, false},
		"the host's":  {[][2]uint32{{0, 4294967295}}, nil, false},
		"none":        {nil, nil, false},
		"unreadable":  {[][2]uint32{{100000, 65536}}, errors.New("x"), false},
	} {
		ev := Evidence{Mapping: func(string) ([][2]uint32, error) { return c.lines, c.err }}
		if err := Check([]byte(before), []byte(after), ev); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// files is a host on which a path leads to the file of its number.
func files(ids map[string]uint64) func(string) (uint64, uint64, error) {
	return func(path string) (uint64, uint64, error) {
		id, ok := ids[path]
		if !ok {
			return 0, 0, errors.New("not there")
		}
		return 1, id, nil
	}
}

func TestRootNeedsTheSameLayers(t *testing.T) {
	before, after := `{"root":{"path":"rootfs"}}`, `{"root":{"path":"/private/root"}}`
	layers := []string{"/u", "/l1", "/l2"}
	pairs := []Pair{{"/u", "hu"}, {"/l1", "h1"}, {"/l2", "h2"}}
	good := map[string]uint64{"/u": 1, "hu": 1, "/l1": 2, "h1": 2, "/l2": 3, "h2": 3, "/b/rootfs": 9, "/private/root": 9, "held": 9}
	for name, c := range map[string]struct {
		host, claimed []string
		pairs         []Pair
		ids           map[string]uint64
		swap          RootSwap
		forbids       map[string]uint64
		ok            bool
	}{
		"the same":         {host: layers, pairs: pairs, ids: good, ok: true},
		"with less":        {host: layers, pairs: pairs, ids: good, forbids: map[string]uint64{"/b/rootfs": 4, "/private/root": 6}, ok: true},
		"with more":        {host: layers, pairs: pairs, ids: good, forbids: map[string]uint64{"/b/rootfs": 6, "/private/root": 2}},
		"one fewer":        {host: layers, pairs: pairs[:2], ids: good},
		"another order":    {host: layers, pairs: []Pair{pairs[0], pairs[2], pairs[1]}, ids: good},
		"another file":     {host: layers, pairs: pairs, ids: map[string]uint64{"/u": 1, "hu": 1, "/l1": 2, "h1": 7, "/l2": 3, "h2": 3}},
		"one that is not":  {host: layers, pairs: pairs, ids: map[string]uint64{"/u": 1, "hu": 1}},
		"no overlay":       {pairs: nil, ids: good, ok: true},
		"no overlay, two":  {pairs: nil, ids: map[string]uint64{"/b/rootfs": 9, "/private/root": 8, "held": 9}},
		"by name, swapped": {pairs: nil, ids: map[string]uint64{"/b/rootfs": 8, "/private/root": 8, "held": 9}},
		"layers, swapped": {host: layers, pairs: pairs, ids: map[string]uint64{
			"/u": 1, "hu": 1, "/l1": 2, "h1": 2, "/l2": 3, "h2": 3, "/b/rootfs": 8, "held": 9,
		}},
		"layers made up": {pairs: pairs, ids: good},
	} {
		ev := Evidence{
			Bundle: "/b", Identify: files(c.ids), Root: &RootSwap{Before: "rootfs", After: "/private/root", Handle: "held", Layers: c.pairs},
			Layers: func(path string) ([]string, error) {
				if path != "/b/rootfs" {
					t.Errorf("asked of %s", path)
				}
				return c.host, nil
			},
			Forbids: func(path string) (uint64, error) { return c.forbids[path], nil },
		}
		if err := Check([]byte(before), []byte(after), ev); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if Check([]byte(before), []byte(after), Evidence{}) == nil {
		t.Error("another root without evidence")
	}
}

func TestStagedDevices(t *testing.T) {
	before := `{"mounts":[],"linux":{"devices":[{"path":"/dev/x","type":"c","major":1,"minor":5}]}}`
	after := `{"mounts":[{"destination":"/dev/x","type":"bind","source":"/s","options":["bind"]}],"linux":{}}`
	node := func(typ string, major, minor int64) Evidence {
		return Evidence{Devices: []Device{{"/dev/x", "/s"}}, Node: func(string) (string, int64, int64, error) { return typ, major, minor, nil }}
	}
	for name, c := range map[string]struct {
		after string
		ev    Evidence
		ok    bool
	}{
		"the same node":   {after, node("c", 1, 5), true},
		"another number":  {after, node("c", 1, 1), false},
		"another type":    {after, node("b", 1, 5), false},
		"no evidence":     {after, Evidence{}, false},
		"another place":   {strings.Replace(after, `"/dev/x"`, `"/dev/y"`, 1), node("c", 1, 5), false},
		"both of them":    {strings.Replace(after, `"linux":{}`, `"linux":{"devices":[{"path":"/dev/x","type":"c","major":1,"minor":5}]}`, 1), node("c", 1, 5), false},
		"another's":       {strings.Replace(after, `"/s"`, `"/t"`, 1), node("c", 1, 5), false},
		"with a mapping":  {strings.Replace(after, `"options"`, `"uidMappings":[],"options"`, 1), node("c", 1, 5), false},
		"another fs type": {strings.Replace(after, `"bind","source"`, `"ext4","source"`, 1), node("c", 1, 5), false},
	} {
		if err := Check([]byte(before), []byte(c.after), c.ev); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSysfsMadeOutside(t *testing.T) {
	before := `{"mounts":[{"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","ro"]}]}`
	after := `{"mounts":[{"destination":"/sys","type":"bind","source":"/s","options":["bind","nosuid","ro"]}]}`
	ev := func(kind string, device uint64) Evidence {
		return Evidence{
			Sysfs:  []Sysfs{{"/sys", "/s"}},
			FSType: func(string) (string, error) { return kind, nil },
			Identify: func(path string) (uint64, uint64, error) {
				return map[string]uint64{"/sys": 1, "/s": device}[path], 1, nil
			},
		}
	}
	for name, c := range map[string]struct {
		after string
		ev    Evidence
		ok    bool
	}{
		"of the pod":  {after, ev("sysfs", 2), true},
		"the host's":  {after, ev("sysfs", 1), false},
		"another":     {after, ev("ext4", 2), false},
		"writable":    {strings.Replace(after, `,"ro"`, ``, 1), ev("sysfs", 2), false},
		"no evidence": {after, Evidence{}, false},
		"elsewhere":   {strings.Replace(after, `"/s"`, `"/t"`, 1), ev("sysfs", 2), false},
		"shared":      {strings.Replace(after, `"ro"`, `"ro","rshared"`, 1), ev("sysfs", 2), false},
	} {
		if err := Check([]byte(before), []byte(c.after), c.ev); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFewerGroupsMayPing(t *testing.T) {
	doc := func(value string) []byte {
		return []byte(`{"linux":{"sysctl":{"net.ipv4.ping_group_range":"` + value + `","a":"0 9"}}}`)
	}
	for is, ok := range map[string]bool{"0 65535": true, "5 9": true, "0 2147483648": false, "9 5": false, "x": false, "0 1 2": false, "-1 5": false} {
		if err := Check(doc("0 2147483647"), doc(is), Evidence{}); (err == nil) != ok {
			t.Errorf("%s: %v", is, err)
		}
	}
	if Check(doc("0 9"), []byte(`{"linux":{"sysctl":{"net.ipv4.ping_group_range":"0 9","a":"0 5"}}}`), Evidence{}) == nil {
		t.Error("another sysctl")
	}
}
