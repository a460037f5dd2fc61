package integration

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// A process that flags describe is the same under hatchdog as under runc alone,
// where the policy takes nothing from it.
func TestExecFlagsMeanWhatTheyMeanToRunc(t *testing.T) {
	wide := "profile: wide\nprofiles: {wide: {extends: builtin/baseline, userns: {mode: \"off\"}}}\n"
	d := newReal(t, "{path: "+pinnedRunc(t)+"}", wide)
	d.piped = true // runc would give a file to the user
	editSpec(t, d.bundle, func(s *specs.Spec) {
		s.Process.Env = append(s.Process.Env, "OWN=1")
		s.Process.User.AdditionalGids = []uint32{7}
		s.Process.User.Umask = new(uint32)
		s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_NPROC", Hard: 777, Soft: 77})
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/proc", Type: "proc", Source: "proc"})
	})
	if out, code := d.call(t, nil, "run", "--detach", "--bundle", d.bundle, "c1"); code != 0 {
		t.Fatal(out)
	}
	// runc alone begins with the process of the bundle: let that be the one that it
	// got at create.
	kept, err := filepath.Glob(d.dir + "/state/*/c1/process.json")
	must(t, err)
	if len(kept) != 1 {
		t.Fatal(kept)
	}
	editSpec(t, d.bundle, func(s *specs.Spec) { must(t, json.Unmarshal([]byte(read(t, kept[0])), &s.Process)) })
	const look = "env | sort; pwd; id; umask; ulimit -u; grep -E '^(Cap|NoNew|Groups)' /proc/self/status; [ -t 0 ] && echo a terminal; ls /proc/self/fd"
	for _, flags := range []string{
		"", "--cwd /bin", "--cwd=", "-e A=b -e OWN=2 -e C=d,e", "--env=A=b", "--user 5", "--user 5:6", "-u 0:9 -g 11 -g 16 -g 12",
		"--cap CAP_KILL", "-c CAP_NET_BIND_SERVICE -u 5", "-c CAP_SYS_ADMIN -c MADE_UP --no-new-privs=false", "--no-new-privs",
		"--ignore-paused --preserve-fds 0", "--",
	} {
		args := append(append([]string{"exec"}, strings.Fields(flags)...), "c1", "sh", "-c", look)
		ours, code := d.call(t, nil, args...)
		plain := args
		if strings.Contains(flags, "SYS_ADMIN") { // what the policy takes away
			plain = append([]string{"exec"}, "c1", "sh", "-c", look)
		}
		want, wantCode := run(t, pinnedRunc(t), append([]string{"--root", d.dir + "/root"}, plain...)...)
		if ours != want || code != wantCode {
			t.Errorf("exec %s: %d\n%s\nwithout hatchdog: %d\n%s", flags, code, ours, wantCode, want)
		}
	}
}
