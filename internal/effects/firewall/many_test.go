package firewall

import (
	"fmt"
	"testing"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// A policy may have as many rules as an administrator writes.
func TestManyRules(t *testing.T) {
	l := newLab(t)
	p := egress.Policy{Name: "many", Default: egress.Deny}
	for port := range 3000 {
		p.Allow = append(p.Allow, fmt.Sprintf("198.51.100.7:%d/tcp", 10000+2*port))
	}
	in, err := Install(Request{FD: l.box, Egress: []egress.Policy{p}})
	must(t, err)
	must(t, in.Undo())
}
