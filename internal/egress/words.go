package egress

import "strconv"

// Words says what a rule does, for a reader: its verdict, and the entry that
// it is of.
func (r Rule) Words() string { return string(r.Verdict) + " " + r.Entry }

func (p Ports) String() string {
	if p.Low == p.High {
		return strconv.Itoa(int(p.Low))
	}
	return strconv.Itoa(int(p.Low)) + "-" + strconv.Itoa(int(p.High))
}
