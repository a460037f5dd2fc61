package seccomp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrTable means that a table does not read.
var ErrTable = errors.New("table")

// Table is the calls that a profile admits, in the order of its file.
type Table struct {
	Name    string
	entries []entry
}

type verb uint8

const (
	allow  verb = iota // admits the calls
	deny               // answers with an error where nothing admits them
	drop               // takes away what lines before admit
	answer             // answers with an error for some arguments, where nothing admits them
)

// entry is one line of a table:
//
//	allow [with=CAP] [without=CAP] [on=ARCH,...] [off=ARCH,...] [argN==VALUE ...]: CALL ...
//	deny EPERM (REASON): CALL ...
//	drop EPERM (REASON): CALL ...
//	answer ERRNO [conditions as of allow] argN==VALUE ...: CALL ...
type entry struct {
	verb          verb
	errno         uint16
	reason        string
	with, without string
	on, off       []string
	when          Conj
	calls         []string
}

// ParseTable reads a table. A line that starts with a blank goes on with the
// one before; # starts a comment.
func ParseTable(name, text string) (*Table, error) {
	t := &Table{Name: name}
	n := 0
	for line := range strings.Lines(text) {
		n++
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(t.entries) == 0 {
				return nil, fmt.Errorf("%w %s:%d: goes on with nothing", ErrTable, name, n)
			}
			last := &t.entries[len(t.entries)-1]
			last.calls = append(last.calls, strings.Fields(trimmed)...)
			continue
		}
		e, err := parseEntry(trimmed)
		if err != nil {
			return nil, fmt.Errorf("%w %s:%d: %w", ErrTable, name, n, err)
		}
		t.entries = append(t.entries, e)
	}
	return t, nil
}

// Check looks at what reading leaves alone, because hatchdog reads its own
// tables each time it starts: the names.
func (t *Table) Check() error {
	for _, e := range t.entries {
		if len(e.calls) == 0 || slices.ContainsFunc(e.calls, func(c string) bool { return !wellFormed(c) }) {
			return fmt.Errorf("%w %s: %w", ErrTable, t.Name, ErrBadName)
		}
	}
	return nil
}

func parseEntry(line string) (entry, error) {
	e := entry{}
	if open := strings.IndexByte(line, '('); open >= 0 {
		end := strings.Index(line, "):")
		if end < open {
			return e, errors.New("the reason does not end")
		}
		e.reason = line[open+1 : end]
		line = line[:open] + line[end+1:]
	}
	head, calls, ok := strings.Cut(line, ":")
	words := strings.Fields(head)
	if !ok || len(words) == 0 {
		return e, errors.New("no colon")
	}
	e.calls = strings.Fields(calls)
	switch words[0] {
	case "allow":
		return e, e.conditions(words[1:])
	case "answer":
		e.verb = answer
		if len(words) < 2 || errnos()[words[1]] == 0 {
			return e, errors.New("want an error to answer with")
		}
		e.errno = errnos()[words[1]]
		if err := e.conditions(words[2:]); err != nil || len(e.when) > 0 {
			return e, err
		}
		return e, errors.New("answers for all arguments: write deny")
	case "deny":
		e.verb = deny
	case "drop":
		e.verb = drop
	default:
		return e, fmt.Errorf("%q is not allow, deny, drop or answer", words[0])
	}
	switch {
	case e.reason == "":
		return e, errors.New("no reason")
	case len(words) == 2 && words[1] == "EPERM":
		e.errno = ePERM
	case len(words) == 2 && words[1] == "ENOSYS":
		e.errno = eNOSYS
	default:
		return e, errors.New("want EPERM or ENOSYS and a reason")
	}
	return e, nil
}

func (e *entry) conditions(words []string) error {
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(w, "arg"):
			c, err := parseTest(w)
			if err != nil {
				return err
			}
			e.when = append(e.when, c)
		case ok && key == "with":
			e.with = value
		case ok && key == "without":
			e.without = value
		case ok && key == "on":
			e.on = strings.Split(value, ",")
		case ok && key == "off":
			e.off = strings.Split(value, ",")
		default:
			return fmt.Errorf("%q is not a condition", w)
		}
	}
	return nil
}

// parseTest reads argN==VALUE, argN<VALUE, argN>=VALUE and argN&MASK==VALUE.
func parseTest(w string) (Cond, error) {
	if len(w) < 5 || w[3] < '0' || w[3] > '5' {
		return Cond{}, fmt.Errorf("%q is not a test of an argument", w)
	}
	c, rest := Cond{Index: uint(w[3] - '0')}, w[4:]
	if mask, value, ok := strings.Cut(rest, "=="); ok && strings.HasPrefix(mask, "&") {
		m, err := strconv.ParseUint(mask[1:], 0, 64)
		v, err2 := strconv.ParseUint(value, 0, 64)
		if err != nil || err2 != nil || v&^m != 0 {
			return Cond{}, fmt.Errorf("%q is not a test of an argument", w)
		}
		return Cond{c.Index, Masked, v, m}, nil
	}
	for _, o := range []struct {
		text string
		op   Op
	}{{"==", EQ}, {"!=", NE}, {"<=", LE}, {">=", GE}, {"<", LT}, {">", GT}} {
		if value, ok := strings.CutPrefix(rest, o.text); ok {
			v, err := strconv.ParseUint(value, 0, 64)
			if err != nil {
				return Cond{}, fmt.Errorf("%q is not a test of an argument", w)
			}
			c.Op, c.Value = o.op, v
			return c, nil
		}
	}
	return Cond{}, fmt.Errorf("%q is not a test of an argument", w)
}

// Calls are the calls that the table names, in its order.
func (t *Table) Calls() []string {
	var all []string
	for _, e := range t.entries {
		all = append(all, e.calls...)
	}
	return all
}
