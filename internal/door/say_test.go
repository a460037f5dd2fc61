package door

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
)

// What an engine shows: one line that names container, field, reason, policy
// line and remedy.
func TestOneLineOfARefusal(t *testing.T) {
	pid := &control.Refusal{Control: "namespaces", Field: "linux.namespaces[pid]", Reason: "it is the host's", Policy: "p.yaml:3 namespaces.host", Remedy: "leave it out"}
	bare := &control.Refusal{Control: "record", Field: "container", Reason: "nobody\n\x1bknows it"}
	long := strings.Repeat("0123456789abcdef", 4)
	for want, c := range map[string]struct {
		id  string
		err error
	}{
		"hatchdog: container c1: refused by policy: linux.namespaces[pid]: it is the host's (policy: p.yaml:3 namespaces.host). Remedy: leave it out. Details: 'hatchctl explain c1'": {
			"c1", &refused{[]*control.Refusal{pid}},
		},
		"hatchdog: container c1: refused by policy in 2 places: (1) linux.namespaces[pid]: it is the host's (policy: p.yaml:3 namespaces.host). Remedy: leave it out. (2) container: nobody knows it. Details: 'hatchctl explain c1'": {
			"c1", fmt.Errorf("wrapped: %w", &refused{[]*control.Refusal{pid, bare}}),
		},
		"hatchdog: container " + long + ": refused by policy: container: nobody knows it. Details: 'hatchctl explain 0123456789ab'": {
			long, &refused{[]*control.Refusal{bare}},
		},
		"hatchdog: container c1: disk is full": {"c1", errors.New("disk\nis full")},
	} {
		got := oneLine(c.err, &argv.Call{ID: c.id})
		if got = strings.Replace(got, "wrapped: ", "", 1); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	many := &refused{[]*control.Refusal{bare, bare, bare, bare, bare}}
	if got := many.Error(); !strings.Contains(got, "in 5 places") || !strings.HasSuffix(got, "And 2 more") || strings.Contains(got, "(4)") {
		t.Error(got)
	}
	if got := oneLine(errors.New("no verb"), nil); got != "hatchdog: no verb" {
		t.Error(got)
	}
}
