package door

import "testing"

func TestWhereRuncKeepsItsState(t *testing.T) {
	for _, c := range []struct {
		euid   int
		userns bool
		user   string
		want   bool
	}{
		{0, false, "root", false},
		{0, false, "", false},
		{1000, false, "u", true},
		{1000, true, "root", true},
		{0, true, "u", true},
		{0, true, "", true},
		{0, true, "root", false},
	} {
		w := World{Euid: c.euid, UserNS: func() bool { return c.userns }, Getenv: func(string) string { return c.user }}
		if got := w.ownDir(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
