package guard

import (
	"strings"
	"testing"
)

// filters are steps from one filter to another, and whether they go through.
func TestSeccomp(t *testing.T) {
	const errno = `"defaultAction":"SCMP_ACT_ERRNO"`
	rules := func(head string, rs ...string) string {
		return `{` + head + `,"syscalls":[` + strings.Join(rs, ",") + `]}`
	}
	rule := func(name, action, args string) string {
		return `{"names":["` + name + `"],"action":"SCMP_ACT_` + action + `"` + args + `}`
	}
	arg := func(op string, index, value, two string) string {
		return `,"args":[{"index":` + index + `,"value":` + value + `,"valueTwo":` + two + `,"op":"SCMP_CMP_` + op + `"}]`
	}
	read := rule("read", "ALLOW", "")
	long := `,"args":[{"index":0,"value":5,"op":"SCMP_CMP_GT"},{"index":1,"value":5,"op":"SCMP_CMP_NE"}]`
	eq1 := rule("read", "ALLOW", arg("EQ", "0", "1", "0"))
	for name, c := range map[string]struct {
		before, after string
		ok            bool
	}{
		"none to one":                    {`null`, rules(errno, read), true},
		"one to none":                    {rules(errno, read), `null`, false},
		"a call less":                    {rules(errno, read, rule("write", "ALLOW", "")), rules(errno, read), true},
		"a call more":                    {rules(errno, read), rules(errno, read, rule("write", "ALLOW", "")), false},
		"a condition more":               {rules(errno, read), rules(errno, eq1), true},
		"a condition less":               {rules(errno, eq1), rules(errno, read), false},
		"another value":                  {rules(errno, eq1), rules(errno, rule("read", "ALLOW", arg("EQ", "0", "2", "0"))), false},
		"another argument":               {rules(errno, eq1), rules(errno, rule("read", "ALLOW", arg("EQ", "1", "1", "0"))), false},
		"within a range":                 {rules(errno, rule("read", "ALLOW", arg("LE", "0", "9", "0"))), rules(errno, eq1), true},
		"beyond a range":                 {rules(errno, rule("read", "ALLOW", arg("LT", "0", "1", "0"))), rules(errno, eq1), false},
		"more of a mask":                 {rules(errno, rule("clone", "ALLOW", arg("MASKED_EQ", "0", "2", "0"))), rules(errno, rule("clone", "ALLOW", arg("MASKED_EQ", "0", "3", "0"))), true},
		"less of a mask":                 {rules(errno, rule("clone", "ALLOW", arg("MASKED_EQ", "0", "3", "0"))), rules(errno, rule("clone", "ALLOW", arg("MASKED_EQ", "0", "2", "0"))), false},
		"a mask that drops bits":         {rules(errno, rule("clone", "ALLOW", arg("MASKED_EQ", "0", "1", "3"))), rules(errno, rule("clone", "ALLOW", arg("MASKED_EQ", "0", "1", "1"))), false},
		"default allows":                 {rules(errno, read), rules(`"defaultAction":"SCMP_ACT_ALLOW"`), false},
		"default denies":                 {rules(`"defaultAction":"SCMP_ACT_ALLOW"`), rules(errno, read), true},
		"what was denied by name":        {rules(`"defaultAction":"SCMP_ACT_ALLOW"`, rule("read", "ERRNO", "")), rules(errno, read), false},
		"what was denied in part":        {rules(`"defaultAction":"SCMP_ACT_ALLOW"`, rule("read", "ERRNO", arg("EQ", "0", "5", "0"))), rules(errno, read), false},
		"the rest of it":                 {rules(`"defaultAction":"SCMP_ACT_ALLOW"`, rule("read", "ERRNO", arg("EQ", "0", "5", "0"))), rules(errno, rule("read", "ALLOW", arg("NE", "0", "5", "0"))), true},
		"overlapping conditions after":   {rules(errno, read), rules(errno, rule("read", "ALLOW", long), rule("read", "ALLOW", arg("NE", "1", "5", "0"))), false},
		"overlapping conditions before":  {rules(errno, rule("read", "ALLOW", long), rule("read", "ALLOW", arg("GT", "1", "5", "0"))), rules(errno, rule("read", "ALLOW", arg("GT", "1", "5", "0"))), false},
		"overlapping short conditions":   {rules(errno, rule("read", "ALLOW", arg("GT", "0", "5", "0")), rule("read", "ALLOW", arg("GT", "1", "5", "0"))), rules(errno, rule("read", "ALLOW", arg("GT", "0", "5", "0"))), true},
		"Docker's families":              {rules(errno, rule("socket", "ALLOW", arg("LT", "0", "38", "0")), rule("socket", "ALLOW", arg("EQ", "0", "39", "0")), rule("socket", "ALLOW", arg("GT", "0", "40", "0"))), rules(errno, rule("socket", "ALLOW", arg("EQ", "0", "2", "0"))), true},
		"a family more than Docker's":    {rules(errno, rule("socket", "ALLOW", arg("LT", "0", "38", "0")), rule("socket", "ALLOW", arg("EQ", "0", "39", "0")), rule("socket", "ALLOW", arg("GT", "0", "40", "0"))), rules(errno, rule("socket", "ALLOW", arg("EQ", "0", "38", "0"))), false},
		"a block of Docker's families":   {rules(errno, rule("socket", "ALLOW", arg("LT", "0", "38", "0"))), rules(errno, rule("socket", "ALLOW", arg("MASKED_EQ", "0", "18446744073709551584", "0"))), true},
		"a block beyond them":            {rules(errno, rule("socket", "ALLOW", arg("LT", "0", "38", "0"))), rules(errno, rule("socket", "ALLOW", arg("MASKED_EQ", "0", "18446744073709551552", "0"))), false},
		"a switch":                       {rules(errno, read), rules(errno, eq1, rule("read", "ALLOW", arg("EQ", "0", "2", "0"))), true},
		"killed, then an error":          {rules(`"defaultAction":"SCMP_ACT_KILL"`, read), rules(errno, read), false},
		"killed by name, then an error":  {rules(errno, rule("read", "KILL", "")), rules(errno), false},
		"an error, then killed":          {rules(errno, read), rules(`"defaultAction":"SCMP_ACT_KILL_PROCESS"`, read), true},
		"an error of another number":     {rules(errno, read), rules(errno+`,"defaultErrnoRet":38`, read), true},
		"an error that says it was made": {rules(errno, read), rules(errno, read, `{"names":["setuid"],"action":"SCMP_ACT_ERRNO","errnoRet":0}`), false},
		"an architecture more":           {rules(errno, read), rules(errno+`,"architectures":["SCMP_ARCH_MIPS"]`, read), false},
		"an architecture less":           {rules(errno+`,"architectures":["SCMP_ARCH_MIPS"]`, read), rules(errno, read), true},
		"socketcall opened with connect": {rules(errno+`,"architectures":["SCMP_ARCH_X86"]`, rule("connect", "ALLOW", "")), rules(errno+`,"defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86"]`, rule("connect", "ALLOW", "")), false},
		"socketcall closed":              {rules(errno+`,"architectures":["SCMP_ARCH_X86"]`, rule("connect", "ALLOW", "")), rules(errno+`,"defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86"]`, rule("connect", "ALLOW", ""), rule("socketcall", "ERRNO", "")), true},
		"a supervisor more":              {rules(errno, read), rules(errno, rule("read", "NOTIFY", "")), false},
		"another supervisor":             {rules(errno+`,"listenerPath":"/a"`, rule("read", "NOTIFY", "")), rules(errno+`,"listenerPath":"/b"`, rule("read", "NOTIFY", "")), false},
		"no supervisor":                  {rules(errno+`,"listenerPath":"/a"`, rule("read", "NOTIFY", "")), rules(errno), true},
		"logged, then not":               {rules(errno, rule("read", "LOG", "")), rules(errno, read), false},
		"logged":                         {rules(errno, read), rules(errno, rule("read", "LOG", "")), true},
		"a flag":                         {rules(errno, read), rules(errno+`,"flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW"]`, read), true},
		"SPEC_ALLOW":                     {rules(errno+`,"flags":["SECCOMP_FILTER_FLAG_LOG"]`, read), rules(errno+`,"flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW"]`, read), false},
		"SPEC_ALLOW by leaving out":      {rules(errno+`,"flags":["SECCOMP_FILTER_FLAG_LOG"]`, read), rules(errno, read), false},
		"LOG gone":                       {rules(errno+`,"flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW"]`, read), rules(errno, read), false},
		"unknown action":                 {rules(errno, read), rules(errno, rule("read", "MAYBE", "")), false},
		"unknown member":                 {rules(errno, read), rules(errno+`,"new":1`, read), false},
		"unknown member of a rule":       {rules(errno, read), rules(errno, `{"names":["read"],"action":"SCMP_ACT_ALLOW","new":1}`), false},
	} {
		wrap := func(f string) []byte { return []byte(`{"linux":{"seccomp":` + f + `}}`) }
		if err := Check(wrap(c.before), wrap(c.after), Evidence{}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkSeccomp(b *testing.B) {
	raw := realSpecs(b)["docker-default.json"]
	s := decode(b, raw)
	kept := sub(s, "linux", "seccomp")
	kept["defaultErrnoRet"], kept["architectures"] = 38, []any{"SCMP_ARCH_X86_64"}
	after := encode(b, s)
	for b.Loop() {
		if err := Check(raw, after, Evidence{}); err != nil {
			b.Fatal(err)
		}
	}
}
