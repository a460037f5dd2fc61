package guard

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// lists gives both sides to f, or refuses.
func lists(f func(c *check, at string, was, is []jsontext.Value)) rule {
	return func(c *check, at string, before, after jsontext.Value) {
		was, err := list(before)
		if err == nil {
			var is []jsontext.Value
			if is, err = list(after); err == nil {
				f(c, at, was, is)
				return
			}
		}
		c.refuse(at, err.Error())
	}
}

// onlyRemoved is the rule of lists that may lose elements and nothing else.
func onlyRemoved(what string) rule {
	return lists(func(c *check, at string, was, is []jsontext.Value) { keptInOrder(c, at, what, was, is) })
}

func keptInOrder(c *check, at, what string, was, is []jsontext.Value) {
	next := 0
	for i, v := range is {
		for next < len(was) && !equal(was[next], v) {
			next++
		}
		if next == len(was) {
			c.refuse(fmt.Sprintf("%s[%d]", at, i), what+" that was not asked for, or in another order")
			return
		}
		next++
	}
}

// onlyDropped is the rule of maps that may lose members and nothing else.
func onlyDropped(what string) rule {
	return object(func(string) rule {
		return func(c *check, at string, before, after jsontext.Value) {
			if after != nil && !equal(before, after) {
				c.refuse(at, what+" that was not asked for")
			}
		}
	})
}
