package door

import (
	"flag"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/retest"
)

// requests is how many whole requests TestAnyRequest makes up; `make fuzz` asks
// for more.
var requests = flag.Int("requests", 400, "how many whole requests are made up")

// Whatever a request asks for, whatever its files, links and mounts are, and
// whatever a user of the host changes between the steps: what the low-level
// runtime would read is the document that was judged, it reaches nothing that
// the policy protects, runc's own library takes it, and what is refused leaves
// nothing.
func TestAnyRequest(t *testing.T) {
	if !retest.Inside(t) {
		inOwnMounts(t, *requests)
		return
	}
	stage := newStage(t)
	var c counts
	rapid.Check(t, func(r *rapid.T) { c.add(stage.run(r, drawRequest(r))) })
	c.want(t)
}

// counts are how requests came out: one-sided ones prove little.
type counts struct{ started, refused, changed int }

func (c *counts) add(o outcome) {
	if o.started {
		c.started++
	} else {
		c.refused++
	}
	if o.changed {
		c.changed++
	}
}

func (c *counts) want(t *testing.T) {
	t.Helper()
	t.Logf("%+v", *c)
	if n := c.started + c.refused; n >= 100 && (c.started < n/10 || c.refused < n/10 || c.changed < n/10) {
		t.Errorf("one-sided: %+v", *c)
	}
}

// inOwnMounts runs a test again in a mount namespace of its own: as many
// processes as there are processors, which share the tries.
func inOwnMounts(t *testing.T, tries int) {
	t.Helper()
	retest.NeedRoot(t, "make mounts")
	var all sync.WaitGroup
	for range runtime.NumCPU() {
		cmd := retest.Command(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, "-test.timeout", "5h", "-rapid.nofailfile",
			"-rapid.checks", strconv.Itoa(max(1, tries/runtime.NumCPU())))
		all.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
	all.Wait()
}
