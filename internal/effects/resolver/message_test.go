package resolver

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// What is asked is the name as the policy has it, however the container spells it:
// not a byte more goes out.
func TestAskedIsThePolicysName(t *testing.T) {
	k := gatekeeper{gates: []egress.Gate{{Names: []string{"*.kernel.org", "kernel.org"}}}}
	for name, want := range map[string]string{
		"KeRNel.oRG.": "kernel.org.", "A.kernel.ORG.": "a.kernel.org.",
		"\u212aernel.org.": "", "\u212a.kernel.org.": "", "\u0130.kernel.org.": "", "a\x00.kernel.org.": "", "kernel.org\x00.": "", ".": "",
	} {
		m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typeA, Class: dnsmessage.ClassINET}}}
		b, err := m.Pack()
		must(t, err)
		q, _, err := parseQuestion(b)
		must(t, err)
		gates, _ := k.of(q.name)
		if want == "" {
			if len(gates) > 0 {
				t.Errorf("%q is a name of the policy", name)
			}
			continue
		}
		if len(gates) == 0 {
			t.Errorf("%q is no name of the policy", name)
		}
		b, err = ask(1, q.q)
		must(t, err)
		var sent dnsmessage.Message
		must(t, sent.Unpack(b))
		if got := sent.Questions[0].Name.String(); got != want {
			t.Errorf("%q is asked as %q", name, got)
		}
		if q.q.Name.String() != name {
			t.Errorf("%q is answered as %q", name, q.q.Name)
		}
	}
}
