package guard

import "strings"

// narrowedProc takes the options out of both sides that say what of /proc is
// seen (proc(5)), and refuses where more is seen than before. The kernel takes
// the last of several; one that nobody knows has no order.
func narrowedProc(c *check, at string, x, y *options) {
	was, is := procView(x), procView(y)
	if was.hidden > is.hidden || was.processes && !is.processes || was.unknown || is.unknown && !was.unknown {
		c.refuse(at, "more of /proc would be seen")
	}
}

type view struct {
	hidden    int  // of other users' processes
	processes bool // and nothing else
	unknown   bool
}

// hiding ranks the values of hidepid.
func hiding(value string) int {
	switch value {
	case "0", "off":
		return 0
	case "1", "noaccess":
		return 1
	case "2", "invisible":
		return 2
	case "4", "ptraceable":
		return 3
	}
	return -1
}

func procView(o *options) view {
	var v view
	var rest []string
	for _, name := range o.others {
		hide, hides := strings.CutPrefix(name, "hidepid=")
		switch {
		case hides:
			v.hidden = hiding(hide)
			v.unknown = v.hidden < 0
		case name == "subset=pid":
			v.processes = true
		default:
			rest = append(rest, name)
		}
	}
	o.others = rest
	return v
}
