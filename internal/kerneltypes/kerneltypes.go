// Package kerneltypes finds members in the types of the running kernel (BTF).
//
// Guarantees: an offset is that of the kernel whose types were given.
// Does not cover: bit fields.
// Requires: nothing.
// Spec fields touched: none.
package kerneltypes

import "github.com/cilium/ebpf/btf"

// Member is the offset in bytes of a member, also of one in a struct or union without
// a name. It is false where there is none.
func Member(members []btf.Member, name string) (int32, bool) {
	for _, m := range members {
		at := int32(m.Offset.Bytes()) //nolint:gosec // small
		if m.Name == name {
			return at, true
		}
		if m.Name != "" {
			continue
		}
		var inner []btf.Member
		switch t := btf.UnderlyingType(m.Type).(type) {
		case *btf.Struct:
			inner = t.Members
		case *btf.Union:
			inner = t.Members
		}
		if in, ok := Member(inner, name); ok {
			return at + in, true
		}
	}
	return 0, false
}
