//go:build cgo

package proof

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func text(t testing.TB, s string) *specs.LinuxSeccomp {
	t.Helper()
	var f specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(s), &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

const (
	nrRead    = 0
	nrConnect = 42
)

// What libseccomp makes of rules that somebody could read otherwise. Each is a
// reason for something that package seccomp does; should one of them change,
// that can be looked at again.
func TestTraps(t *testing.T) {
	c := newCompiler(t)
	for name, k := range map[string]struct {
		filter string
		args   [6]uint64
		allows bool
	}{
		"an unconditional rule wins over a condition": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},
			 {"names":["read"],"action":"SCMP_ACT_KILL","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}`, [6]uint64{1}, true,
		},
		"of two unconditional rules the first wins": {
			`{"defaultAction":"SCMP_ACT_TRAP","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},{"names":["read"],"action":"SCMP_ACT_ERRNO"}]}`, [6]uint64{}, true,
		},
		"a rule with the default action counts for nothing": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO"},{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`, [6]uint64{}, true,
		},
		"the same argument twice is either": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":3,"op":"SCMP_CMP_GT"},{"index":0,"value":2,"op":"SCMP_CMP_LT"}]}]}`, [6]uint64{1}, true,
		},
		"bits of a value outside its mask are dropped": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"valueTwo":3,"op":"SCMP_CMP_MASKED_EQ"}]}]}`, [6]uint64{1}, true,
		},
		"equality is of 64 bits": {
			`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}`, [6]uint64{1<<32 | 1}, true,
		},
	} {
		p, err := c.compile(text(t, k.filter))
		if err != nil {
			t.Fatal(err)
		}
		if got := executes(p.run(&data{nr: nrRead, arch: auditX86_64, args: k.args})); got != k.allows {
			t.Errorf("%s: no longer so: allowed %v", name, got)
		}
	}
}

// On architectures with 32-bit arguments the upper half of a value is dropped.
func TestTrapUpperHalf(t *testing.T) {
	p, err := newCompiler(t).compile(text(t, `{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],
	 "syscalls":[{"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":4294967297,"op":"SCMP_CMP_EQ"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if !executes(p.run(&data{nr: 136, arch: auditI386, args: [6]uint64{1}})) {
		t.Error("no longer so")
	}
}

// socket with a condition opens socketcall without any, and a rule for
// socketcall that is not the default closes it.
func TestTrapSocketcall(t *testing.T) {
	c := newCompiler(t)
	const head = `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86"],"syscalls":[`
	const socket = `{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}`
	for filter, want := range map[string]bool{
		head + socket + `]}`: true,
		head + socket + `,{"names":["socketcall"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}`: false,
	} {
		p, err := c.compile(text(t, filter))
		if err != nil {
			t.Fatal(err)
		}
		if got := executes(p.run(&data{nr: 102, arch: auditI386, args: [6]uint64{1}})); got != want {
			t.Errorf("allowed %v: %s", got, filter)
		}
	}
}

// Rules on different arguments that overlap can come out wider than their
// text: libseccomp 2.5.4 allows an argument here that no rule does. A version
// that does not is fine.
func TestTrapOverlap(t *testing.T) {
	p, err := newCompiler(t).compile(text(t, `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
	 {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":15824435958,"op":"SCMP_CMP_LE"}]},
	 {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":2736908376802637,"op":"SCMP_CMP_GE"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	wide, rng := 0, rand.New(rand.NewPCG(1, 1))
	for range 1_000_000 {
		v := rng.Uint64() >> rng.IntN(40)
		if v > 15824435958 && v < 2736908376802637 && executes(p.run(&data{nr: nrRead, arch: auditX86_64, args: [6]uint64{0, v}})) {
			wide++
		}
	}
	t.Logf("%d arguments are allowed that no rule allows", wide)
}

// A filter of few calls, one of which an architecture has not got, can come out
// without the load of the call's number: it then denies everything there.
// package seccomp takes such a filter by its text, under which a container
// could not have started.
func TestTrapNumberNotLoaded(t *testing.T) {
	p, err := newCompiler(t).compile(text(t, `{"defaultAction":"SCMP_ACT_TRAP","architectures":["SCMP_ARCH_X32"],"syscalls":[
	 {"names":["socketcall"],"action":"SCMP_ACT_ALLOW"},{"names":["connect"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":3,"op":"SCMP_CMP_LE"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("connect is allowed: %v", executes(p.run(&data{nr: nrConnect, arch: auditX86_64, args: [6]uint64{0, 2}})))
}

// A compile that does not end is killed, and the next one works.
func TestEndlessCompileIsKilled(t *testing.T) {
	c := newCompiler(t)
	var docker *specs.LinuxSeccomp
	for _, docker = range dockers(t) {
		break
	}
	if _, err := c.within(time.Microsecond, docker); !errors.Is(err, errEndless) {
		t.Errorf("%v", err)
	}
	if p, err := c.compile(docker); err != nil || len(p) < 300 {
		t.Errorf("%d instructions, %v", len(p), err)
	}
}
