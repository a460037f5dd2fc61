package guard

import (
	"fmt"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The filter as the OCI spec writes it (config-linux.md, "Seccomp").
type filter struct {
	DefaultAction    string   `json:"defaultAction"`
	DefaultErrnoRet  *uint    `json:"defaultErrnoRet"`
	Architectures    []string `json:"architectures"`
	Flags            []string `json:"flags"`
	ListenerPath     string   `json:"listenerPath"`
	ListenerMetadata string   `json:"listenerMetadata"`
	Syscalls         []call   `json:"syscalls"`
}

type call struct {
	Names    []string `json:"names"`
	Action   string   `json:"action"`
	ErrnoRet *uint    `json:"errnoRet"`
	Args     []test   `json:"args"`
}

// The ranks of actions: the order in which the kernel lets one win over another
// (seccomp(2)). From logged on the call is made.
const (
	errno  = 3
	notify = 4
	trace  = 5
	logged = 6
)

// rank is the place of an action among those; -1 is one that nobody knows.
func rank(action string) int {
	switch action {
	case "SCMP_ACT_KILL_PROCESS":
		return 0
	case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD":
		return 1
	case "SCMP_ACT_TRAP":
		return 2
	case "SCMP_ACT_ERRNO":
		return errno
	case "SCMP_ACT_NOTIFY":
		return notify
	case "SCMP_ACT_TRACE":
		return trace
	case "SCMP_ACT_LOG":
		return logged
	case "SCMP_ACT_ALLOW":
		return logged + 1
	}
	return -1
}

// answer is what a filter does with a call.
type answer struct {
	rank int
	code uint
}

func answerOf(action string, code *uint) answer {
	a := answer{rank: rank(action)}
	if a.rank == errno || a.rank == trace {
		a.code = 1
		if code != nil {
			a.code = *code
		}
	}
	return a
}

// ruling is one rule of one call. Without tests it always applies.
type ruling struct {
	answer
	tests []test
}

// book is a filter by call.
type book struct {
	filter
	missing answer // what no rule speaks of
	calls   map[string][]ruling
}

// seccomp is the rule of linux.seccomp: a call that is made after was made
// before. Where that cannot be seen, it is not so.
func seccomp(c *check, at string, before, after jsontext.Value) {
	absent := func(v jsontext.Value) bool { return v == nil || v.Kind() == 'n' }
	switch {
	case absent(after) && absent(before):
		return
	case absent(after):
		c.refuse(at, "left out")
		return
	}
	is, err := read2book(after)
	if err != nil {
		c.refuse(at, err.Error())
		return
	}
	if absent(before) {
		is.alone(c, at)
		return
	}
	was, err := read2book(before)
	if err != nil {
		c.refuse(at, err.Error())
		return
	}
	is.against(c, at, was)
}

// read2book decodes a filter. Members that nobody knows would be lost on it.
func read2book(v jsontext.Value) (*book, error) {
	b := &book{calls: make(map[string][]ruling, 512)}
	if err := jsonv2.Unmarshal(v, &b.filter, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, errShape // or a member that nobody has classified
	}
	if b.missing = answerOf(b.DefaultAction, b.DefaultErrnoRet); b.missing.rank < 0 || b.missing.rank == notify {
		return nil, fmt.Errorf("defaultAction: %w", errShape)
	}
	for i, s := range b.Syscalls {
		a := answerOf(s.Action, s.ErrnoRet)
		if a.rank < 0 || a.code > 4095 || !wellKnown(s.Args) {
			return nil, fmt.Errorf("syscalls[%d]: %w", i, errShape)
		}
		for j := range s.Args {
			if s.Args[j].Op != masked {
				s.Args[j].ValueTwo = 0 // it means nothing there
			}
		}
		rs := rulings(a, s.Args)
		for _, name := range s.Names {
			if have, more := b.calls[name]; more {
				b.calls[name] = append(have[:len(have):len(have)], rs...)
			} else {
				b.calls[name] = rs
			}
		}
	}
	return b, nil
}

// rulings are the rules that runc makes of an entry: one, or one for each test
// where an argument is tested twice.
func rulings(a answer, args []test) []ruling {
	twice := false
	for i, t := range args {
		twice = twice || slices.ContainsFunc(args[:i], func(o test) bool { return o.Index == t.Index })
	}
	if !twice {
		return []ruling{{a, args}}
	}
	var all []ruling
	for _, t := range args {
		all = append(all, ruling{a, []test{t}})
	}
	return all
}

// alone judges a filter where there was none: any is stricter, except for a
// supervisor that nobody asked for.
func (b *book) alone(c *check, at string) {
	if b.ListenerPath != "" || b.ListenerMetadata != "" {
		c.refuse(at+".listenerPath", "not asked for")
	}
	asks := func(a answer) bool { return a.rank == notify || a.rank == trace || a.rank == errno && a.code == 0 }
	if asks(b.missing) {
		c.refuse(at+".defaultAction", "it answers as nobody asked for")
	}
	for name, rs := range b.calls {
		if slices.ContainsFunc(rs, func(r ruling) bool { return asks(r.answer) }) {
			c.refuse(at+".syscalls", name+": it answers as nobody asked for")
			return
		}
	}
}
