package guard

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// mostRules bounds the comparison: real lists have some tens.
const mostRules = 64

type deviceRule struct {
	Allow  bool   `json:"allow"`
	Type   string `json:"type"`
	Major  *int64 `json:"major"`
	Minor  *int64 `json:"minor"`
	Access string `json:"access"`
}

// point is one access to one device.
type point struct {
	typ          string
	major, minor int64
	access       rune
}

// deviceRules: all is denied at first and the last rule that matches decides (runc,
// libcontainer's emulation of the device control group). A device that is allowed
// after must have been allowed before: every device that either list names, and one
// that none names.
var deviceRules rule = lists(func(c *check, at string, before, after []jsontext.Value) {
	was, ok1 := readRules(before)
	is, ok2 := readRules(after)
	if !ok1 || !ok2 {
		c.refuse(at, errShape.Error())
		return
	}
	for _, p := range points(slices.Concat(was, is)) {
		if allows(is, p) && !allows(was, p) {
			c.refuse(at, "it opens a device that was closed")
			return
		}
	}
})

func readRules(all []jsontext.Value) ([]deviceRule, bool) {
	if len(all) > mostRules {
		return nil, false
	}
	var rules []deviceRule
	for _, v := range all {
		var r deviceRule
		if !read(v, &r) {
			return nil, false
		}
		if strings.Trim(r.Access, "rwm") != "" {
			return nil, false
		}
		switch r.Type {
		case "", "a":
			r.Type = "a"
			// runc takes such a rule for all devices, whatever its numbers.
			r.Major, r.Minor = nil, nil
		case "c", "b":
		case "u": // the kernel's other name for c
			r.Type = "c"
		default:
			return nil, false
		}
		rules = append(rules, r)
	}
	return rules, true
}

func points(rules []deviceRule) []point {
	var majors, minors []int64
	for _, r := range rules {
		if r.Major != nil && !slices.Contains(majors, *r.Major) {
			majors = append(majors, *r.Major)
		}
		if r.Minor != nil && !slices.Contains(minors, *r.Minor) {
			minors = append(minors, *r.Minor)
		}
	}
	majors, minors = append(majors, unnamed(majors)), append(minors, unnamed(minors))
	var all []point
	for _, typ := range []string{"c", "b"} {
		for _, major := range majors {
			for _, minor := range minors {
				for _, access := range "rwm" {
					all = append(all, point{typ, major, minor, access})
				}
			}
		}
	}
	return all
}

// unnamed is a number that stands for all that no rule names.
func unnamed(named []int64) int64 {
	n := int64(0)
	for slices.Contains(named, n) {
		n++
	}
	return n
}

func allows(rules []deviceRule, p point) bool {
	allowed := false
	for _, r := range rules {
		if (r.Type == "a" || r.Type == p.typ) && number(r.Major, p.major) && number(r.Minor, p.minor) && r.covers(p.access) {
			allowed = r.Allow
		}
	}
	return allowed
}

// number: nothing and -1 stand for any.
func number(want *int64, have int64) bool { return want == nil || *want == -1 || *want == have }

// covers: a rule for all devices is for every access, and so is one that names
// none.
func (r deviceRule) covers(access rune) bool {
	if r.Type == "a" || r.Access == "" {
		return true
	}
	for _, a := range r.Access {
		if a == access {
			return true
		}
	}
	return false
}
