package argv

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// flagAt is one flag of the verb, where it stands in Argv.
type flagAt struct {
	name  string
	value string
	at    int // index of the flag
	width int // 1, or 2 where the value is the next argument
}

var errBool = errors.New("not a boolean")

func boolValue(value string, inline bool) (bool, error) {
	if !inline {
		return true, nil
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, errBool
	}
	return b, nil
}

// parseVerb reads the flags and operands of the verb. Flags that we do not
// know take no part in it unless what they could take matters: then the two
// readings differ, and that is an error.
func (c *Call) parseVerb(v verb) error {
	operands, doubt, err := c.scan(v)
	if err != nil {
		return err
	}
	if c.Bool("help", "h") {
		c.Door = None
		return nil
	}
	if v.door == Create || v.door == Run {
		if c.IsSet("config", "f") {
			return fmt.Errorf("%w: --config names another document than the bundle's", ErrFlag)
		}
	}
	if b, ok := c.Value("bundle", "b"); ok {
		c.Bundle = b
	}
	if v.ordered {
		if doubt != "" {
			return fmt.Errorf("%w: --%s is not known, so the container behind it is not certain; leave it out, or write it as --%s=VALUE", ErrFlag, shown(doubt), shown(doubt))
		}
		if len(operands) == 0 {
			return fmt.Errorf("%w: no container id", ErrOperands)
		}
		c.ID, c.Operands = operands[0], operands
		return nil
	}
	if v.door == None && len(operands) > 0 {
		c.ID = operands[0]
		return nil
	}
	if len(operands) != 1 {
		if doubt != "" {
			return fmt.Errorf("%w: --%s is not known, so the container is not certain; leave it out, or write it as --%s=VALUE", ErrFlag, shown(doubt), shown(doubt))
		}
		return fmt.Errorf("%w: one container id is wanted, %d are given", ErrOperands, len(operands))
	}
	c.ID = operands[0]
	return nil
}

// scan walks the arguments behind the verb. doubt names a flag of unknown
// width that another word follows.
func (c *Call) scan(v verb) (operands []string, doubt string, err error) {
	args := c.Argv
	for i := c.verb + 1; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(operands, args[i+1:]...), doubt, nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			operands = append(operands, arg)
			if v.ordered {
				return append(operands, args[i+1:]...), doubt, nil
			}
			continue
		}
		name, value, inline := splitFlag(arg)
		f := flagAt{name: name, value: value, at: i, width: 1}
		switch k := v.flags.kind(name); {
		case k == unknown && v.flags.abbreviated(name):
			return nil, "", fmt.Errorf("%w: --%s is cut short, and low-level runtimes differ in what they take it for; write the whole name", ErrFlag, shown(name))
		case k == unknown && !inline:
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				doubt = name
			}
		case k == valued && !inline:
			if i+1 == len(args) {
				return nil, "", fmt.Errorf("%w: --%s needs a value", ErrFlag, name)
			}
			i++
			f.value, f.width = args[i], 2
		case k == boolean:
			on, err := boolValue(value, inline)
			if err != nil {
				return nil, "", fmt.Errorf("%w: --%s: %w", ErrFlag, name, err)
			}
			f.value = strconv.FormatBool(on)
		}
		c.flags = append(c.flags, f)
	}
	return operands, doubt, nil
}

func (c *Call) find(names ...string) (flagAt, bool) {
	for i := len(c.flags) - 1; i >= 0; i-- { // the last one wins, as in runc
		for _, n := range names {
			if c.flags[i].name == n {
				return c.flags[i], true
			}
		}
	}
	return flagAt{}, false
}

// Value is a flag's value under any of its names.
func (c *Call) Value(names ...string) (string, bool) {
	f, ok := c.find(names...)
	return f.value, ok
}

// Values are all values of a flag that may be repeated, in order.
func (c *Call) Values(names ...string) []string {
	var all []string
	for _, f := range c.flags {
		for _, n := range names {
			if f.name == n {
				all = append(all, f.value)
			}
		}
	}
	return all
}

// Bool is a boolean flag's value; false where it is not given.
func (c *Call) Bool(names ...string) bool {
	f, _ := c.find(names...)
	return f.value == "true"
}

// IsSet reports whether a flag is given.
func (c *Call) IsSet(names ...string) bool {
	_, ok := c.find(names...)
	return ok
}

// Edit returns the command line with each flag of the verb as edit wants it:
// its value, changed or not, or dropped. extra is put right behind the verb.
func (c *Call) Edit(edit func(name, value string) (string, bool), extra ...string) []string {
	out := append([]string{}, c.Argv[:min(c.verb+1, len(c.Argv))]...)
	out = append(out, extra...)
	next := c.verb + 1
	for _, f := range c.flags {
		out = append(out, c.Argv[next:f.at]...)
		next = f.at + f.width
		value, keep := edit(f.name, f.value)
		switch {
		case !keep:
		case value == f.value:
			out = append(out, c.Argv[f.at:next]...)
		case f.width == 2:
			out = append(out, c.Argv[f.at], value)
		default:
			flag, _, _ := strings.Cut(c.Argv[f.at], "=")
			out = append(out, flag+"="+value)
		}
	}
	return append(out, c.Argv[min(next, len(c.Argv)):]...)
}
