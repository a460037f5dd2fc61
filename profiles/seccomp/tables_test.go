package seccomp

import (
	"math/rand/v2"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/seccomp"
)

func grants(t testing.TB, name string, w seccomp.Wish) *seccomp.Grants {
	t.Helper()
	table, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return table.Resolve(w)
}

func all() []seccomp.Wish {
	var out []seccomp.Wish
	for _, native := range []specs.Arch{specs.ArchX86_64, specs.ArchAARCH64, specs.ArchRISCV64, specs.ArchS390X, specs.ArchPPC64LE} {
		for _, caps := range [][]string{nil, {
			"CAP_SYS_CHROOT", "CAP_SYS_TIME", "CAP_SYS_PACCT", "CAP_SYS_TTY_CONFIG", "CAP_SYS_PTRACE", "CAP_SYS_BOOT", "CAP_SYSLOG",
		}, {"CAP_SYS_ADMIN"}} {
			out = append(out, seccomp.Wish{Native: native, Capabilities: caps})
		}
	}
	return out
}

// Each table admits no more than the one before, for any arguments.
func TestTablesNarrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	values := []uint64{0, 1, 2, 8, 10, 16, 17, 38, 40, 0x5412, 0x541c, 0x80045430, 0x20000, 0x10000000, 0xffffffff}
	for _, w := range all() {
		for i := 1; i < len(Names()); i++ {
			wide, narrow := grants(t, Names()[i-1], w), grants(t, Names()[i], w)
			for _, call := range seccomp.Calls() {
				for range 200 {
					var args [6]uint64
					for j := range args {
						args[j] = values[rng.IntN(len(values))]
					}
					if narrow.Allows(call).Holds(args) && !wide.Allows(call).Holds(args) {
						t.Fatalf("%s %#x: %s admits it, %s does not (%s %v)", call, args, Names()[i], Names()[i-1], w.Native, w.Capabilities)
					}
				}
			}
		}
	}
}

// What a table says is emitted as it is: nothing is lost for lack of a shape
// that libseccomp compiles right, on any architecture.
func TestTablesAreExact(t *testing.T) {
	for _, w := range all() {
		for _, name := range Names() {
			if res := seccomp.Intersect(nil, grants(t, name, w), w); len(res.Lost) > 0 {
				t.Errorf("%s on %s: lost: %v", name, w.Native, res.Lost)
			}
		}
	}
}

// The calls that attacks are made of, and the arguments that make them.
func TestDenied(t *testing.T) {
	w := seccomp.Wish{Native: specs.ArchX86_64}
	const userns = 0x10000000
	for _, c := range []struct {
		call  string
		args  [6]uint64
		from  int // the first table that denies it
		named bool
	}{
		{"bpf", [6]uint64{}, 0, true},
		{"io_uring_setup", [6]uint64{}, 0, true},
		{"keyctl", [6]uint64{}, 0, true},
		{"userfaultfd", [6]uint64{}, 0, true},
		{"perf_event_open", [6]uint64{}, 0, true},
		{"mount", [6]uint64{}, 0, true},
		{"unshare", [6]uint64{userns}, 0, true},
		{"clone3", [6]uint64{}, 0, false},
		{"clone", [6]uint64{userns}, 0, false},
		{"clone", [6]uint64{userns | 17}, 0, false},
		{"socket", [6]uint64{38, 5}, 0, false}, // AF_ALG
		{"socket", [6]uint64{40, 1}, 0, false}, // AF_VSOCK
		{"socket", [6]uint64{17, 3}, 1, false}, // AF_PACKET
		{"socket", [6]uint64{16, 3, 12}, 1, false},
		{"socket", [6]uint64{1<<32 | 38, 5}, 0, false},
		{"socketpair", [6]uint64{40, 1}, 1, false},
		{"personality", [6]uint64{0x40000}, 0, false}, // ADDR_NO_RANDOMIZE
		{"personality", [6]uint64{8}, 2, false},
		{"ioctl", [6]uint64{0, 0x5412}, 1, false},
		{"ioctl", [6]uint64{0, 0x541c}, 1, false},
		{"ioctl", [6]uint64{0, 1<<32 | 0x5412}, 1, false},
		{"ioctl", [6]uint64{0, 0xffffffff0000541c}, 1, false},
		{"ptrace", [6]uint64{}, 1, true},
		{"sync", [6]uint64{}, 2, true},
		{"a_call_of_tomorrow", [6]uint64{}, 0, false},
	} {
		for i, name := range Names() {
			g := grants(t, name, w)
			if got := g.Allows(c.call).Holds(c.args); got != (i < c.from) {
				t.Errorf("%s %s %#x: allowed %v", name, c.call, c.args, got)
			}
			if i >= c.from && c.named != (g.Reason(c.call) != "") {
				t.Errorf("%s %s: reason %q", name, c.call, g.Reason(c.call))
			}
		}
	}
}

// What a call answers that a table denies for its arguments: what a kernel
// answers that cannot do it, or what its callers go on with.
func TestAnswers(t *testing.T) {
	w := seccomp.Wish{Native: specs.ArchX86_64}
	const inet, inet6, netlink = 2, 10, 16
	for _, c := range []struct {
		call string
		args [6]uint64
		want string
		from int // the first table that denies it
	}{
		{"socket", [6]uint64{38, 5}, "EAFNOSUPPORT", 0},            // AF_ALG
		{"socket", [6]uint64{40, 1}, "EAFNOSUPPORT", 0},            // AF_VSOCK
		{"socket", [6]uint64{17, 3}, "EAFNOSUPPORT", 1},            // AF_PACKET
		{"socket", [6]uint64{0, 1}, "EAFNOSUPPORT", 1},             // AF_UNSPEC
		{"socket", [6]uint64{29, 3}, "EAFNOSUPPORT", 1},            // AF_CAN
		{"socket", [6]uint64{30, 5}, "EAFNOSUPPORT", 1},            // AF_TIPC
		{"socket", [6]uint64{31, 3}, "EAFNOSUPPORT", 1},            // AF_BLUETOOTH
		{"socket", [6]uint64{43, 1}, "EAFNOSUPPORT", 1},            // AF_SMC
		{"socket", [6]uint64{44, 3}, "EAFNOSUPPORT", 1},            // AF_XDP
		{"socket", [6]uint64{netlink, 3, 9}, "EPROTONOSUPPORT", 1}, // NETLINK_AUDIT, of libaudit
		{"socket", [6]uint64{netlink, 0x80003, 15}, "EPROTONOSUPPORT", 1},
		{"socket", [6]uint64{netlink, 3, 12}, "EPROTONOSUPPORT", 1},
		{"socket", [6]uint64{netlink, 3, 16}, "EPROTONOSUPPORT", 1},
		{"socket", [6]uint64{inet, 1, 132}, "EPROTONOSUPPORT", 1},  // SCTP
		{"socket", [6]uint64{inet6, 2, 136}, "EPROTONOSUPPORT", 1}, // UDP-Lite
		{"socket", [6]uint64{inet, 2, 115}, "EPROTONOSUPPORT", 1},  // L2TP
		{"socket", [6]uint64{inet, 2, 33}, "EPROTONOSUPPORT", 1},   // DCCP
		{"socket", [6]uint64{inet, 1, 256}, "EPROTONOSUPPORT", 1},  // SMC
		{"socket", [6]uint64{inet, 1, 262}, "EPROTONOSUPPORT", 2},  // MPTCP
		{"socket", [6]uint64{inet, 0x80005}, "ESOCKTNOSUPPORT", 1}, // SCTP by its type
		{"socket", [6]uint64{inet6, 6, 33}, "ESOCKTNOSUPPORT", 1},  // DCCP by its type
		{"socket", [6]uint64{inet, 10}, "ESOCKTNOSUPPORT", 1},      // SOCK_PACKET
		{"socketpair", [6]uint64{2, 1}, "EAFNOSUPPORT", 1},
		{"clone", [6]uint64{0x10000011}, "EPERM", 0},
		{"clone", [6]uint64{0x20000}, "EPERM", 0},
		{"clone", [6]uint64{0x7e020011}, "EPERM", 0},
		{"clone3", [6]uint64{}, "ENOSYS", 0},
		{"personality", [6]uint64{0x40000}, "EPERM", 0},
		{"ioctl", [6]uint64{0, 0x5412}, "EIO", 1},
		{"ioctl", [6]uint64{0, 0xffffffff00005412}, "EIO", 1},
		{"ioctl", [6]uint64{0, 0x541c}, "ENOTTY", 1},
		{"vmsplice", [6]uint64{}, "ENOSYS", 1},
		{"process_mrelease", [6]uint64{}, "ENOSYS", 1},
		{"futex_waitv", [6]uint64{}, "ENOSYS", 2},
		{"pidfd_open", [6]uint64{}, "ENOSYS", 2},
		{"unshare", [6]uint64{0x10000000}, "EPERM", 0},
		{"mount", [6]uint64{}, "EPERM", 0},
	} {
		for i, name := range Names() {
			f, err := seccomp.Parse(seccomp.Intersect(nil, grants(t, name, w), w).Spec)
			if err != nil {
				t.Fatal(err)
			}
			want := "ERRNO " + c.want
			if i < c.from {
				want = "ALLOW"
			}
			if got := f.Evaluate(seccomp.Call{Name: c.call, Arch: specs.ArchX86_64, Args: c.args}, specs.ArchX86_64); got.Action.String() != want {
				t.Errorf("%s: %s %#x: %v, want %s", name, c.call, c.args, got.Action, want)
			}
		}
	}
}

// What programs cannot do without.
func TestAllowed(t *testing.T) {
	w := seccomp.Wish{Native: specs.ArchX86_64}
	for _, c := range []struct {
		call string
		args [6]uint64
	}{
		{"clone", [6]uint64{0x3d0f00}}, // a thread
		{"clone", [6]uint64{17}},
		{"socket", [6]uint64{1, 1}},
		{"socket", [6]uint64{2, 1}},
		{"socket", [6]uint64{10, 2}},
		{"socket", [6]uint64{16, 0x80003, 0}},
		{"socketpair", [6]uint64{1, 1}},
		{"personality", [6]uint64{0xffffffff}},
		{"ioctl", [6]uint64{0, 0x5401}},             // TCGETS
		{"ioctl", [6]uint64{0, 0x5413}},             // TIOCGWINSZ
		{"ioctl", [6]uint64{0, 0x541b}},             // FIONREAD
		{"ioctl", [6]uint64{0, 0x5421}},             // FIONBIO
		{"ioctl", [6]uint64{0, 0x5451}},             // FIOCLEX
		{"ioctl", [6]uint64{0, 0x8912}},             // SIOCGIFCONF
		{"ioctl", [6]uint64{0, 0x80045430}},         // TIOCGPTN
		{"ioctl", [6]uint64{0, 0xffffffff80045430}}, // as musl writes it
		{"ioctl", [6]uint64{0, 0x40049409}},         // FICLONE
		{"mbind", [6]uint64{}},
		{"landlock_create_ruleset", [6]uint64{}},
		{"seccomp", [6]uint64{}},
		{"rseq", [6]uint64{}},
		{"execve", [6]uint64{}},
		{"futex", [6]uint64{}},
		{"shmget", [6]uint64{}},
		{"uretprobe", [6]uint64{}},
	} {
		for _, name := range Names() {
			if !grants(t, name, w).Allows(c.call).Holds(c.args) {
				t.Errorf("%s denies %s %#x", name, c.call, c.args)
			}
		}
	}
}

// No name is misspelt: each is a call somewhere, or newer than libseccomp.
func TestNamesAreCalls(t *testing.T) {
	known := seccomp.Calls()
	for _, name := range Names() {
		table, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := table.Check(); err != nil {
			t.Error(err)
		}
		for _, c := range table.Calls() {
			if !slices.Contains(known, c) {
				t.Errorf("%s: %s", name, c)
			}
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		grants(b, "untrusted", seccomp.Wish{Native: specs.ArchX86_64})
	}
}
