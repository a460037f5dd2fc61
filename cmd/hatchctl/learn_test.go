package main

import (
	"testing"

	"github.com/hatchdog/hatchdog/internal/workload"
)

// Nobody is recorded under a name by an id that begins as the name does.
func TestSelectionPicks(t *testing.T) {
	for _, c := range []struct {
		s    selection
		name string
		w    workload.Workload
		want bool
	}{
		{selection{}, "shop", workload.Workload{ID: "x", Name: "shop"}, true},
		{selection{}, "shop", workload.Workload{ID: "shop"}, true},
		{selection{}, "shop", workload.Workload{ID: "shop-evil"}, false},
		{selection{}, "abcdef12", workload.Workload{ID: "abcdef1234"}, true},
		{selection{}, "n/p", workload.Workload{ID: "x", Namespace: "n", Pod: "p", Container: "c"}, true},
		{selection{labels: []string{"tier=db"}}, "", workload.Workload{Labels: map[string]string{"tier": "db"}}, true},
		{selection{labels: []string{"tier="}}, "", workload.Workload{}, false},
		{selection{labels: []string{"tier=db"}}, "", workload.Workload{Labels: map[string]string{"tier": "db2"}}, false},
		{selection{labels: []string{"tier=db", "zone=a*"}}, "", workload.Workload{Labels: map[string]string{"tier": "db", "zone": "a1"}}, true},
		{selection{labels: []string{"tier=db", "zone=a*"}}, "", workload.Workload{Labels: map[string]string{"tier": "db", "zone": "b"}}, false},
		{selection{labels: []string{"io.kubernetes.pod.name=web-*", "io.kubernetes.container.name=c"}}, "", workload.Workload{Namespace: "n", Pod: "web-1", Container: "c"}, true},
		{selection{labels: []string{"io.kubernetes.pod.name=web-*", "io.kubernetes.container.name=c"}}, "", workload.Workload{Namespace: "n", Pod: "web-1", Container: "d"}, false},
		{selection{labels: []string{"io.kubernetes.pod.namespace="}}, "", workload.Workload{Pod: "web-1"}, false},
		{selection{image: "nginx:*"}, "", workload.Workload{Image: "nginx:1.27"}, true},
		{selection{image: "nginx:*"}, "", workload.Workload{Image: "evil/nginx:1.27"}, false},
		{selection{image: "nginx"}, "", workload.Workload{}, false},
	} {
		pick, err := c.s.pick(c.name)
		if err != nil || pick(c.w) != c.want {
			t.Errorf("%+v %q %+v: want %v, %v", c.s, c.name, c.w, c.want, err)
		}
	}
	for _, bad := range []selection{{labels: []string{"x"}}, {labels: []string{"x=["}}, {image: "["}} {
		if _, err := bad.pick(""); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
