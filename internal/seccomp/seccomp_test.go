package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func table(t testing.TB, text string) *Table {
	t.Helper()
	tab, err := ParseTable("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func filter(t testing.TB, text string) *Filter {
	t.Helper()
	var s specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	f, err := Parse(&s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// brief writes a filter's rules on one line.
func brief(s *specs.LinuxSeccomp) string {
	f, err := Parse(s)
	if err != nil {
		return err.Error()
	}
	out := []string{f.Default.String()}
	for _, r := range f.Rules {
		when := ""
		if len(r.When) > 0 {
			when = " if " + r.When.String()
		}
		out = append(out, fmt.Sprintf("%s %s%s", r.Action, strings.Join(r.Names, ","), when))
	}
	return strings.Join(out, "; ")
}

var here = Wish{Native: specs.ArchX86_64}

func TestIntersect(t *testing.T) {
	const tab = `deny EPERM (why): bpf
allow: read write ptrace
allow arg0==1: socket
allow arg0==2: socket
allow arg0&0x7e000000==0: clone
`
	for name, c := range map[string]struct{ spec, want, lost string }{
		"allowed by both": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","mount","bpf"],"action":"SCMP_ACT_ALLOW"}]}`,
			"ERRNO ENOSYS; ALLOW read; ERRNO EPERM bpf,clone,ptrace,socket,write", "",
		},
		"special errnos stay": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38},{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,clone,ptrace,socket,write; ERRNO 13 read; ERRNO ENOSYS clone3", "",
		},
		"conditions meet": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"}]},{"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_MASKED_EQ"}]}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,ptrace,read,write; ALLOW clone if arg0&0x7e000001==0x0; ALLOW socket if arg0==0x1; ALLOW socket if arg0==0x2", "",
		},
		"a default that allows": {
			`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["write"],"action":"SCMP_ACT_ERRNO"},{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":9,"op":"SCMP_CMP_EQ"}]}]}`,
			"ERRNO ENOSYS; ALLOW ptrace; ERRNO EPERM bpf,write; ALLOW clone if arg0&0x7e000000==0x0; ALLOW read if arg0!=0x9; ALLOW socket if arg0==0x1; ALLOW socket if arg0==0x2", "",
		},
		"killed by default": {
			`{"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`,
			"KILL_PROCESS; ALLOW read", "",
		},
		"killed for some arguments": {
			`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","args":[{"index":0,"value":9,"op":"SCMP_CMP_EQ"}]},{"names":["socket","clone","write"],"action":"SCMP_ACT_ERRNO"}]}`,
			"ERRNO ENOSYS; ALLOW ptrace; ERRNO EPERM bpf,clone,socket,write; KILL_THREAD read", "read if arg0!=0x9",
		},
		"logged": {
			`{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["socket","clone","write"],"action":"SCMP_ACT_ERRNO"}]}`,
			"ERRNO ENOSYS; LOG ptrace,read; ERRNO EPERM bpf,clone,socket,write", "",
		},
		"contradiction": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},{"names":["read"],"action":"SCMP_ACT_ERRNO"},{"names":["write"],"action":"SCMP_ACT_ALLOW"},{"names":["write"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":5,"op":"SCMP_CMP_GT"}]}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,clone,ptrace,read,socket,write", "read; write if arg1<=0x5",
		},
		"overlapping rules on different arguments": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":5,"op":"SCMP_CMP_GT"}]},{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":5,"op":"SCMP_CMP_GT"}]},{"names":["write"],"action":"SCMP_ACT_ALLOW"}]}`,
			"ERRNO ENOSYS; ALLOW write; ERRNO EPERM bpf,clone,ptrace,socket; ALLOW read if arg0>0x5; ALLOW read if arg1>0x5", "",
		},
		"overlapping rules that compile to something else": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":5,"op":"SCMP_CMP_GT"},{"index":1,"value":5,"op":"SCMP_CMP_NE"}]},{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":5,"op":"SCMP_CMP_GT"}]},{"names":["write"],"action":"SCMP_ACT_ALLOW"}]}`,
			"ERRNO ENOSYS; ALLOW write; ERRNO EPERM bpf,clone,ptrace,read,socket", "read if arg0>0x5 arg1!=0x5 or arg1>0x5",
		},
		"Docker's families": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":38,"op":"SCMP_CMP_LT"}]},{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":39,"op":"SCMP_CMP_EQ"}]},{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_GT"}]}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,clone,ptrace,read,write; ALLOW socket if arg0==0x1; ALLOW socket if arg0==0x2", "",
		},
		"Podman's audit": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":22,"args":[{"index":0,"value":16,"op":"SCMP_CMP_EQ"},{"index":2,"value":9,"op":"SCMP_CMP_EQ"}]},{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":2,"value":9,"op":"SCMP_CMP_NE"}]},{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":16,"op":"SCMP_CMP_NE"}]}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,clone,ptrace,read,write; ALLOW socket if arg0==0x1; ALLOW socket if arg0==0x2", "",
		},
		"a supervisor": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","bpf","socket"],"action":"SCMP_ACT_NOTIFY"}]}`,
			"ERRNO ENOSYS; NOTIFY read; ERRNO EPERM bpf,clone,ptrace,socket,write", "",
		},
		"a tracer": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_TRACE"}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,clone,ptrace,read,socket,write", "read",
		},
		"a mask that its value does not fit": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"valueTwo":3,"op":"SCMP_CMP_MASKED_EQ"}]}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,clone,ptrace,read,socket,write", "read if arg0&0x1==0x3",
		},
		"the same argument twice is either": {
			`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":3,"op":"SCMP_CMP_EQ"}]}]}`,
			"ERRNO ENOSYS; ERRNO EPERM bpf,clone,ptrace,socket,write; ALLOW read if arg0==0x1; ALLOW read if arg0==0x3", "",
		},
	} {
		g := table(t, tab).Resolve(here)
		res := Intersect(filter(t, c.spec), g, here)
		if got := brief(res.Spec); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		if got := strings.Join(texts(res.Lost), "; "); got != c.lost {
			t.Errorf("%s: lost %q, want %q", name, got, c.lost)
		}
		f, err := Parse(res.Spec)
		if err != nil {
			t.Fatal(err)
		}
		if again := Intersect(f, g, here); !reflect.DeepEqual(again.Spec, res.Spec) {
			t.Errorf("%s: a second time: %s", name, brief(again.Spec))
		}
	}
}

func TestNoFilterGetsTheTable(t *testing.T) {
	w := Wish{Native: specs.ArchX86_64, Log: true}
	res := Intersect(nil, table(t, "allow: read\nallow with=CAP_X: write\n").Resolve(w), w)
	if got := brief(res.Spec); got != "ERRNO ENOSYS; ALLOW read" {
		t.Error(got)
	}
	if got := fmt.Sprint(res.Spec.Flags, res.Spec.Architectures); got != "[SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW] [SCMP_ARCH_X86_64]" {
		t.Error(got)
	}
}

func TestArchitectures(t *testing.T) {
	const three = `{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],
	 "syscalls":[{"names":["socket","connect","socketcall","personality"],"action":"SCMP_ACT_ALLOW"}]}`
	const tab = "deny EPERM (x): socketcall\nallow: connect\nallow arg0==1: socket\nallow arg0==0x100000000: personality\n"
	for _, c := range []struct {
		admit []specs.Arch
		want  string
	}{
		{nil, "[SCMP_ARCH_X86_64]"},
		{[]specs.Arch{specs.ArchX86, specs.ArchARM}, "[SCMP_ARCH_X86_64 SCMP_ARCH_X86]"},
	} {
		w := Wish{Native: specs.ArchX86_64, Arches: c.admit}
		res := Intersect(filter(t, three), table(t, tab).Resolve(w), w)
		if got := fmt.Sprint(res.Spec.Architectures); got != c.want {
			t.Error(got)
		}
	}
	// Without a rule for socketcall, libseccomp would open it along with connect.
	w := Wish{Native: specs.ArchX86_64, Arches: []specs.Arch{specs.ArchX86}}
	for def, want := range map[string]string{
		"ERRNO":        "ERRNO ENOSYS; ALLOW connect; ERRNO EPERM ipc,socketcall",
		"KILL":         "KILL_THREAD; ALLOW connect; KILL_PROCESS ipc,socketcall",
		"KILL_PROCESS": "KILL_PROCESS",
	} {
		f := filter(t, `{"defaultAction":"SCMP_ACT_`+def+`","architectures":["SCMP_ARCH_X86"],"syscalls":[{"names":["connect"],"action":"SCMP_ACT_ALLOW"}]}`)
		res := Intersect(f, table(t, "allow: connect socketcall\n").Resolve(w), w)
		if got := brief(res.Spec); got != want {
			t.Errorf("%s: %s", def, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	rule := func(r string) string { return `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[` + r + `]}` }
	many := strings.Repeat(`{"names":["read"],"action":"SCMP_ACT_ALLOW"},`, maxRules) + `{"names":["read"],"action":"SCMP_ACT_ALLOW"}`
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"action":         {rule(`{"names":["read"],"action":"SCMP_ACT_MAYBE"}`), ErrUnknownAction},
		"no action":      {rule(`{"names":["read"]}`), ErrUnknownAction},
		"default":        {`{"defaultAction":""}`, ErrUnknownAction},
		"default notify": {`{"defaultAction":"SCMP_ACT_NOTIFY"}`, ErrNotify},
		"notify write":   {rule(`{"names":["write"],"action":"SCMP_ACT_NOTIFY"}`), ErrNotify},
		"operator":       {rule(`{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"=="}]}`), ErrUnknownOp},
		"index":          {rule(`{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}`), ErrBadIndex},
		"architecture":   {`{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_Z80"]}`, ErrUnknownArch},
		"flag":           {`{"defaultAction":"SCMP_ACT_ERRNO","flags":["SECCOMP_FILTER_FLAG_X"]}`, ErrUnknownFlag},
		"errno":          {rule(`{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":65536}`), ErrBadErrno},
		"no names":       {rule(`{"names":[],"action":"SCMP_ACT_ALLOW"}`), ErrBadName},
		"odd name":       {rule(`{"names":["re ad"],"action":"SCMP_ACT_ALLOW"}`), ErrBadName},
		"too many":       {rule(many), ErrTooMany},
	} {
		var s specs.LinuxSeccomp
		if err := json.Unmarshal([]byte(c.text), &s); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(&s); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "linux.seccomp.") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestTableRefuses(t *testing.T) {
	for _, text := range []string{
		"\tread", "permit: read", "allow read", "allow:", "allow: Read", "deny: read", "deny EPERM: read", "deny EWHAT (x): read",
		"allow on: read", "allow argx==1: read", "allow arg6==1: read", "allow arg0=1: read", "allow arg0&0x1==0x2: read", "deny EPERM (x: read",
	} {
		tab, err := ParseTable("t", text+"\n")
		if err == nil {
			err = tab.Check()
		}
		if !errors.Is(err, ErrTable) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Ten thousand rules on one call and on as many names come to an end, and soon.
func TestManyRules(t *testing.T) {
	var rules []string
	for i := range 10000 {
		rules = append(rules, fmt.Sprintf(`{"names":["read","x%d"],"action":"SCMP_ACT_ALLOW","args":[{"index":%d,"value":%d,"op":"SCMP_CMP_GT"}]}`, i, i%6, i),
			fmt.Sprintf(`{"names":["write"],"action":"SCMP_ACT_ERRNO","args":[{"index":%d,"value":%d,"op":"SCMP_CMP_EQ"}]}`, i%6, i))
	}
	f := filter(t, `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[`+strings.Join(rules, ",")+`]}`)
	res := Intersect(f, table(t, "allow: read write\n").Resolve(here), here)
	if !slices.ContainsFunc(res.Lost, func(l Loss) bool { return l.Call == "write" }) {
		t.Errorf("lost: %v", res.Lost)
	}
}

func texts[T fmt.Stringer](all []T) (out []string) {
	for _, x := range all {
		out = append(out, x.String())
	}
	return out
}

// What the algebra says of conditions is so for every argument near them.
func TestConditions(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	value := func() uint64 {
		return []uint64{0, 1, 2, 3, 5, 8, 1 << 31, 1 << 32, 1<<64 - 1, rng.Uint64()}[rng.IntN(10)]
	}
	cond := func() Cond {
		c := Cond{Op: Op(rng.IntN(7)), Value: value()}
		if c.Op == Masked {
			c.Mask = value()
			c.Value &= c.Mask
		}
		return c
	}
	for range 10000 {
		a, b := cond(), cond()
		m, inv := meet(a, b), a.inverse()
		for _, near := range []uint64{a.Value, b.Value, value()} {
			for d := range uint64(3) {
				x := near + d - 1
				both := a.Holds(x) && b.Holds(x)
				switch {
				case disjoint(a, b) && both, implies(a, b) && a.Holds(x) && !b.Holds(x):
					t.Fatalf("%v and %v at %#x", a, b, x)
				case holding(m, x) != count(both):
					t.Fatalf("%v and %v at %#x: %v", a, b, x, m)
				case holding(inv, x) != count(!a.Holds(x)):
					t.Fatalf("not %v at %#x: %v", a, x, inv)
				case holding(a.blocks(), x) != count(a.Holds(x)):
					t.Fatalf("%v at %#x: %v", a, x, a.blocks())
				}
			}
		}
	}
}

func holding(all []Cond, x uint64) (n int) {
	for _, c := range all {
		n += count(c.Holds(x))
	}
	return n
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func FuzzIntersect(f *testing.F) {
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"}]}]}`), "allow arg0<5: read\n")
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"syscalls":[{"names":["socket"],"action":"SCMP_ACT_KILL"}]}`), "allow: socket socketcall\n")
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		var s specs.LinuxSeccomp
		tab, err := ParseTable("fuzz", text)
		if err != nil || tab.Check() != nil || json.Unmarshal(raw, &s) != nil {
			return
		}
		in, err := Parse(&s)
		if err != nil {
			return
		}
		w := Wish{Native: specs.ArchX86_64, Arches: []specs.Arch{specs.ArchX86}}
		g := tab.Resolve(w)
		once := Intersect(in, g, w).Spec
		out, err := Parse(once)
		if err != nil {
			t.Fatal(err)
		}
		if again := Intersect(out, g, w).Spec; !reflect.DeepEqual(once, again) {
			t.Fatalf("not settled: %s\nthen %s", brief(once), brief(again))
		}
	})
}
