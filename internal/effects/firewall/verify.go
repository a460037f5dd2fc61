package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// verify compares a layer with what the kernel holds. have are the chains that
// it has.
func (k *kernel) verify(p *program, have map[string]*nftables.Chain) error {
	for _, c := range p.chains {
		if err := k.verifyChain(p, c, have[c.Name]); err != nil {
			return err
		}
	}
	for _, s := range p.sets {
		if s.Dynamic {
			continue // the kernel fills it
		}
		if err := k.verifySet(s); err != nil {
			return fmt.Errorf("%w: set %s: %w", errUnverified, s.Name, err)
		}
	}
	return nil
}

var errElements = errors.New("it has other elements")

// looks is how often a set is read. The kernel may answer twice for an element,
// or not at all, while it makes room for those that are there.
const looks = 20

func (k *kernel) verifySet(s set) error {
	for look := 1; ; look++ {
		found, err := k.nft.GetSetElements(s.Set)
		if err == nil && !slices.EqualFunc(sorted(found), sorted(s.elements), sameElement) {
			err = errElements
		}
		if err == nil || look == looks {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func (k *kernel) verifyChain(p *program, want, have *nftables.Chain) error {
	if have == nil || have.Type != want.Type || !reflect.DeepEqual(have.Hooknum, want.Hooknum) || !reflect.DeepEqual(have.Policy, want.Policy) ||
		want.Hooknum != nil && !reflect.DeepEqual(have.Priority, want.Priority) {
		return fmt.Errorf("%w: chain %s", errUnverified, want.Name)
	}
	found, err := k.nft.GetRules(p.table, want)
	if err != nil {
		return fmt.Errorf("%w: chain %s: %w", errUnverified, want.Name, err)
	}
	var wanted []*nftables.Rule
	for _, r := range p.rules {
		if r.Chain.Name == want.Name {
			wanted = append(wanted, r)
		}
	}
	if len(found) != len(wanted) {
		return fmt.Errorf("%w: chain %s has %d rules, not %d", errUnverified, want.Name, len(found), len(wanted))
	}
	for i, r := range wanted {
		if !sameRule(found[i], r) {
			return fmt.Errorf("%w: chain %s, rule %d", errUnverified, want.Name, i)
		}
	}
	return nil
}

func sameRule(a, b *nftables.Rule) bool {
	return bytes.Equal(a.UserData, b.UserData) && slices.EqualFunc(a.Exprs, b.Exprs, func(x, y expr.Any) bool {
		return reflect.DeepEqual(x, y) || render(x) == render(y)
	})
}

// render writes an expression without what the kernel counts or numbers.
func render(e expr.Any) string {
	switch e := e.(type) {
	case *expr.Counter:
		return "counter"
	case *expr.Lookup:
		return fmt.Sprintf("lookup %s %v %v %v", e.SetName, e.SourceRegister, e.Invert, e.IsDestRegSet)
	case *expr.Dynset:
		return fmt.Sprintf("dynset %s %v %v %v %v %d", e.SetName, e.SrcRegKey, e.Operation, e.Invert, e.Timeout, len(e.Exprs))
	}
	return fmt.Sprintf("%T %+v", e, e)
}

func sorted(all []nftables.SetElement) []nftables.SetElement {
	return slices.SortedFunc(slices.Values(all), func(a, b nftables.SetElement) int {
		if c := bytes.Compare(a.Key, b.Key); c != 0 || a.IntervalEnd == b.IntervalEnd {
			return c
		}
		if a.IntervalEnd {
			return -1
		}
		return 1
	})
}

func sameElement(a, b nftables.SetElement) bool {
	return bytes.Equal(a.Key, b.Key) && a.IntervalEnd == b.IntervalEnd
}
