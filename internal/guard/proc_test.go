package guard

import (
	"encoding/json"
	"testing"
)

// What is seen of /proc may become less, and no more.
func TestViewOfProc(t *testing.T) {
	doc := func(typ string, options ...string) []byte {
		out, err := json.Marshal(map[string]any{"mounts": []any{map[string]any{"destination": "/proc", "type": typ, "source": "proc", "options": options}}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		before, after []string
		ok            bool
	}{
		{nil, []string{"hidepid=invisible"}, true},
		{nil, []string{"subset=pid", "hidepid=4"}, true},
		{[]string{"hidepid=2"}, []string{"hidepid=ptraceable"}, true},
		{[]string{"hidepid=off"}, []string{"hidepid=1"}, true},
		{[]string{"hidepid=2"}, []string{"hidepid=noaccess"}, false},
		{[]string{"hidepid=2"}, nil, false},
		{[]string{"hidepid=2"}, []string{"hidepid=2", "hidepid=0"}, false},
		{[]string{"subset=pid"}, nil, false},
		{nil, []string{"hidepid=9"}, false},
		{[]string{"hidepid=9"}, []string{"hidepid=2"}, false},
		{nil, []string{"gid=0"}, false},
	} {
		if err := Check(doc("proc", c.before...), doc("proc", c.after...), Evidence{}); (err == nil) != c.ok {
			t.Errorf("%v to %v: %v", c.before, c.after, err)
		}
	}
	if Check(doc("tmpfs"), doc("tmpfs", "hidepid=2"), Evidence{}) == nil {
		t.Error("an option of another file system was accepted")
	}
}
