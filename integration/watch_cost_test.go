package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// What nginx and redis pay for the watch, in processor time of their containers, client
// included, for the same work. The figures of docs/watch.md are what this prints.
func TestWatchCost(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		d.importServers(t)
		for name, load := range map[string]string{
			"nginx": "curl -s -o /dev/null 'http://127.0.0.1/?[1-4000]'",
			"redis": "redis-benchmark -q -n 40000 -c 10 -t get,set",
		} {
			id := d.background(t, "servers", "/bin/sh", "-ec", servers[name].entry)
			waitFor(t, name, func() bool { _, code := d.try(t, "exec", id, "/bin/sh", "-c", servers[name].ask); return code == 0 })
			spent := func() float64 {
				files, err := filepath.Glob("/sys/fs/cgroup/cpuacct/*/" + id + "/cpuacct.usage")
				if err != nil || len(files) != 1 {
					t.Fatalf("%v %v", files, err)
				}
				n, err := strconv.ParseFloat(strings.TrimSpace(read(t, files[0])), 64)
				must(t, err)
				return n
			}
			const rounds = 5
			took := map[string][]float64{}
			for range rounds {
				for _, how := range []string{"without", "--no-calls", "all"} {
					var w *watching
					switch how {
					case "--no-calls":
						w = startWatch(t, d.dir+"/policy.yaml", how)
					case "all":
						w = startWatch(t, d.dir+"/policy.yaml")
					}
					before := spent()
					d.do(t, "exec", id, "/bin/sh", "-c", load)
					took[how] = append(took[how], spent()-before)
					if w != nil {
						if how == "all" {
							t.Logf("%s: the watch has %s", name, resident(t, w))
						}
						w.stop(syscall.SIGTERM)
					}
				}
			}
			median := func(how string) float64 { slices.Sort(took[how]); return took[how][rounds/2] }
			for _, how := range []string{"--no-calls", "all"} {
				ratio := median(how) / median("without")
				t.Logf("%s: %s: %.3f times the processor time without a watch", name, how, ratio)
				if ratio > 1.5 {
					t.Errorf("%s: %s: %.3f", name, how, ratio)
				}
			}
		}
	})
}

func resident(t *testing.T, w *watching) string {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
