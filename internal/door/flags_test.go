package door

import (
	"os"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// held is a further call in a container under a profile.
func held(t *testing.T, profile *policy.Profile, line string) *further {
	t.Helper()
	call, err := argv.Parse(append([]string{"hatchdog"}, strings.Fields(line)...), func() bool { return false }, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return &further{call: call, rec: &decision.Record{Ceiling: profile, Cgroup: host.Cgroup{Swap: true}}}
}

func builtin(t *testing.T, name string) *policy.Profile {
	t.Helper()
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	return pol.Profiles["builtin/"+name]
}

func TestUpdateFlags(t *testing.T) {
	for line, want := range map[string]string{ // "" is refused
		"update --memory 1g --memory-swap -1 c1":                             "--memory 536870912 --memory-swap 536870912 c1",
		"update --memory=100m c1":                                            "--memory 104857600 --memory-swap 104857600 c1",
		"update --pids-limit -1 c1":                                          "--pids-limit 256 c1",
		"update --cpu-quota 900000 --cpu-period 100000 c1":                   "--cpu-quota 100000 --cpu-period 100000 c1",
		"update --cpu-share 5 --blkio-weight=9 --cpuset-cpus 0 c1":           "--cpu-share 5 --blkio-weight=9 --cpuset-cpus 0 c1",
		"update --memory 0 c1":                                               "--memory 0 c1",
		"update --memory-swap -1 c1":                                         "",
		"update --cpu-quota 900000 c1":                                       "",
		"update --cpu-period 1000 c1":                                        "",
		"update --memory 1g --memory 2g --pids-limit 5 --pids-limit 9999 c1": "--memory 536870912 --memory-swap 536870912 --pids-limit 256 c1",
	} {
		f := held(t, builtin(t, "untrusted"), line)
		args, err := f.resourcesFlags()
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if refused := len(f.decision.Refusals) > 0; refused != (want == "") {
			t.Errorf("%s: refusals %v", line, f.decision.Refusals)
		} else if got := strings.Join(args[2:], " "); want != "" && got != want {
			t.Errorf("%s:\n  %s, want\n  %s", line, got, want)
		}
	}
	// Without a ceiling of CPU nothing of it is lost.
	f := held(t, builtin(t, "restricted"), "update --cpu-rt-period 9 --cpu-rt-runtime 5 c1")
	args, err := f.resourcesFlags()
	if got := strings.Join(args[2:], " "); err != nil || got != "--cpu-rt-runtime 5 --cpu-rt-period 9 c1" {
		t.Errorf("%s %v", got, err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
