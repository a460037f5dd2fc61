package door

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/workload"
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
			"c1", &refused{refusals: []*control.Refusal{pid}},
		},
		"hatchdog: container c1: refused by policy in 2 places: (1) linux.namespaces[pid]: it is the host's (policy: p.yaml:3 namespaces.host). Remedy: leave it out. (2) container: nobody knows it. Details: 'hatchctl explain c1'": {
			"c1", fmt.Errorf("wrapped: %w", &refused{refusals: []*control.Refusal{pid, bare}}),
		},
		"hatchdog: container " + long + ": refused by policy: container: nobody knows it. Details: 'hatchctl explain 0123456789ab'": {
			long, &refused{refusals: []*control.Refusal{bare}},
		},
		"hatchdog: container c1: disk is full":                 {"c1", errors.New("disk\nis full")},
		"hatchdog: container web (0123456789ab): disk is full": {long, fmt.Errorf("wrapped: %w", &about{workload.Workload{Name: "web"}, errors.New("disk\nis full")})},
		"hatchdog: container web (0123456789ab): refused by policy: container: nobody knows it. Details: 'hatchctl explain 0123456789ab'": {
			long, &refused{[]*control.Refusal{bare}, workload.Workload{Engine: workload.Docker, Name: "web"}},
		},
	} {
		got := oneLine(c.err, &argv.Call{ID: c.id})
		if got = strings.Replace(got, "wrapped: ", "", 1); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	pod := workload.Workload{Engine: workload.CRI, Namespace: "default", Pod: "web", Container: "app"}
	over := func(id string, who workload.Workload) string {
		return oneLine(&refused{[]*control.Refusal{bare}, who}, &argv.Call{ID: id})
	}
	if got := over(long, pod); got != over("another", pod) || got !=
		"hatchdog: pod default/web/app: refused by policy: container: nobody knows it. Details: 'hatchctl explain default/web/app'" {
		t.Error(got)
	}
	// Nor does what fails for another reason name the id.
	failed := func(id string) string {
		return oneLine(&about{pod, fmt.Errorf("open /run/b/%s/config.json: gone", id)}, &argv.Call{ID: id})
	}
	if got := failed(long); got != failed("another") || got != "hatchdog: pod default/web/app: open /run/b/ID/config.json: gone" {
		t.Error(got)
	}
	pod.Sandbox = true
	if got := over(long, pod); !strings.HasPrefix(got, "hatchdog: pod default/web: ") {
		t.Error(got)
	}
	pod.Engine = workload.Docker // whose annotations anybody can set
	if got := over("c1", pod); !strings.HasPrefix(got, "hatchdog: container c1: ") {
		t.Error(got)
	}
	hostile := oneLine(fmt.Errorf("field \u202e%s", strings.Repeat("x", 1<<20)), &argv.Call{ID: "a\x1b[2J\nb" + strings.Repeat("y", 9999)})
	if len(hostile) > 5000 || strings.ContainsAny(hostile, "\x1b\n\u202e") {
		t.Errorf("%d bytes: %.400q", len(hostile), hostile)
	}
	many := &refused{refusals: []*control.Refusal{bare, bare, bare, bare, bare}}
	if got := many.Error(); !strings.Contains(got, "in 5 places") || !strings.HasSuffix(got, "And 2 more") || strings.Contains(got, "(4)") {
		t.Error(got)
	}
	if got := oneLine(errors.New("no verb"), nil); got != "hatchdog: no verb" {
		t.Error(got)
	}
}
