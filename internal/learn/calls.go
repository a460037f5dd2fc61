package learn

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/probe"
)

// otherArgs is behind the name of a call whose arguments are not told apart.
const otherArgs = "other"

// parts are the arguments that the tables look at, by call.
func parts() map[string][]probe.Part {
	const (
		word      = 0xffffffff
		clones    = 0x7e020000 // every CLONE_NEW* of clone
		unshares  = clones | 0x80
		families  = 0x3f
		types     = 0xf // without SOCK_CLOEXEC and SOCK_NONBLOCK
		protocols = 0x1ff
	)
	socket := []probe.Part{{Index: 0, Mask: families}, {Index: 1, Mask: types, Shift: 16}, {Index: 2, Mask: protocols, Shift: 32}}
	return map[string][]probe.Part{
		"clone": {{Index: 0, Mask: clones}}, "unshare": {{Index: 0, Mask: unshares}}, "personality": {{Index: 0, Mask: word}},
		"ioctl": {{Index: 1, Mask: word}}, "prctl": {{Index: 0, Mask: word}}, "socket": socket, "socketpair": socket,
	}
}

// values are the arguments that are told apart. All others are one: whoever makes
// calls with ever other ones takes no room.
func values() map[string][]uint64 {
	all := map[string][]uint64{
		"personality": {0, 8, 0x20000, 0x20008, 0xffffffff, 0x40000, 0x400000, 0x8000000},
		"ioctl":       {0x80086601, 0x40086602, 0x80046601, 0x40046602, 0x40049409, 0x4020940d, 0xc020660b, 0x801c581f},
		"prctl":       {0x53564d41, 0x59616d61},
	}
	for v := range uint64(0x100) {
		all["ioctl"] = append(all["ioctl"], 0x5400+v, 0x8900+v)
		all["prctl"] = append(all["prctl"], v)
	}
	for _, name := range []string{"clone", "unshare"} {
		mask := parts()[name][0].Mask
		for set := range uint64(1) << bits.OnesCount64(mask) {
			all[name] = append(all[name], spread(set, mask))
		}
	}
	for family := range uint64(46) { // AF_MAX
		for _, kind := range []uint64{1, 2, 3, 4, 5, 6, 10} {
			for _, protocol := range []uint64{0, 1, 2, 6, 16, 17, 58, 132, 136, 255, 262} {
				all["socket"] = append(all["socket"], family|kind<<16|protocol<<32)
			}
		}
		all["socketpair"] = append(all["socketpair"], family|1<<16, family|2<<16, family|5<<16)
	}
	return all
}

// spread puts the bits of set where mask has some.
func spread(set, mask uint64) uint64 {
	out := uint64(0)
	for bit := uint64(1); mask != 0; bit <<= 1 {
		lowest := mask & -mask
		if set&bit != 0 {
			out |= lowest
		}
		mask &^= lowest
	}
	return out
}

// Watched is what the probe is to tell apart, for a host whose calls have these
// numbers.
func Watched(names map[int]string) (map[uint32]probe.Call, []probe.Value) {
	classes, looked, told := probe.Classes(), parts(), values()
	calls := map[uint32]probe.Call{}
	var all []probe.Value
	for number, name := range names {
		c, known := classes[name]
		if !known {
			c = probe.Call{First: probe.NoArg, Second: probe.NoArg}
		}
		c.Parts = looked[name]
		n := uint32(number) //nolint:gosec // of a table
		if known || len(c.Parts) > 0 {
			calls[n] = c
		}
		for _, v := range told[name] {
			all = append(all, probe.Value{Call: n, Arg: v})
		}
	}
	return calls, all
}

// CallKey names a call with the arguments that were told apart.
func CallKey(name string, arg uint64) string {
	switch {
	case len(parts()[name]) == 0:
		return name
	case arg == probe.OtherArgs:
		return name + " " + otherArgs
	}
	return fmt.Sprintf("%s %#x", name, arg)
}

// parseCall is the opposite of CallKey. told is false where the arguments are not
// known.
func parseCall(key string) (name string, args [6]uint64, told bool) {
	name, text, has := strings.Cut(key, " ")
	if !has {
		return name, args, true
	}
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return name, args, false
	}
	for _, p := range parts()[name] {
		args[p.Index] = v >> p.Shift & p.Mask
	}
	return name, args, true
}
