package seccomp

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	moby "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var update = flag.Bool("update", false, "write baseline.table anew")

const baselineHead = `# Docker's table (github.com/moby/profiles/seccomp), written by ` + "`make golden`" + `:
# change it there, not here.

# Ours: where memory lies on machines of several nodes. Databases ask for it
# without any capability.
allow: get_mempolicy mbind set_mempolicy set_mempolicy_home_node

# Ours: the answers of a kernel without the family, for those that Docker's table
# leaves out: DECnet's neighbours, KEY, ASH, ECONET, SNA, WANPIPE, PPPOX, IB, IUCV,
# ALG, VSOCK, and what is beyond. Namespaces take a capability.
answer EAFNOSUPPORT arg0==3: socket
answer EAFNOSUPPORT arg0&0xfffffffffffffffe==4: socket
answer EAFNOSUPPORT arg0==6: socket
answer EAFNOSUPPORT arg0==11: socket
answer EAFNOSUPPORT arg0==12: socket
answer EAFNOSUPPORT arg0==19: socket
answer EAFNOSUPPORT arg0==20: socket
answer EAFNOSUPPORT arg0==23: socket
answer EAFNOSUPPORT arg0==25: socket
answer EAFNOSUPPORT arg0==34: socket
answer EAFNOSUPPORT arg0==37: socket
answer EAFNOSUPPORT arg0==38: socket
answer EAFNOSUPPORT arg0==40: socket
answer EAFNOSUPPORT arg0&0xffffffffffffffc0==0x40: socket
answer EPERM without=CAP_SYS_ADMIN off=s390,s390x arg0&0x20000==0x20000: clone
answer EPERM without=CAP_SYS_ADMIN off=s390,s390x arg0&0x2000000==0x2000000: clone
answer EPERM without=CAP_SYS_ADMIN off=s390,s390x arg0&0x4000000==0x4000000: clone
answer EPERM without=CAP_SYS_ADMIN off=s390,s390x arg0&0x8000000==0x8000000: clone
answer EPERM without=CAP_SYS_ADMIN off=s390,s390x arg0&0x10000000==0x10000000: clone
answer EPERM without=CAP_SYS_ADMIN off=s390,s390x arg0&0x20000000==0x20000000: clone
answer EPERM without=CAP_SYS_ADMIN off=s390,s390x arg0&0x40000000==0x40000000: clone
answer EPERM arg0&0x40001==0x40000: personality
`

// What hatchdog carries is what the module says.
func TestGoldenBaseline(t *testing.T) {
	want, err := baseline(moby.DefaultProfile())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("baseline.table", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("baseline.table")
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("baseline.table is not what github.com/moby/profiles says; run make golden (%v)", err)
	}
}

func baseline(p *moby.Seccomp) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(baselineHead)
	if p.DefaultAction != specs.ActErrno {
		return nil, fmt.Errorf("the default is %s", p.DefaultAction)
	}
	for _, s := range p.Syscalls {
		head, err := conditions(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Names[0], err)
		}
		switch {
		case s.Action == specs.ActAllow:
			fmt.Fprintf(&b, "allow%s:", head)
		case s.Action == specs.ActErrno && s.ErrnoRet != nil && *s.ErrnoRet == 38:
			continue // as what no table knows
		default:
			return nil, fmt.Errorf("%s: action %s", s.Names[0], s.Action)
		}
		names := slices.Sorted(slices.Values(s.Names))
		for i, n := range names {
			if i > 0 && i%12 == 0 {
				b.WriteString("\n\t" + n)
			} else {
				b.WriteString(" " + n)
			}
		}
		b.WriteString("\n")
	}
	return b.Bytes(), nil
}

// conditions writes what the lines of a table can say, and fails for all else.
// Kernels that lack what minKernel asks for are too old for hatchdog.
func conditions(s *moby.Syscall) (string, error) {
	var w []string
	in, out := s.Includes, s.Excludes
	if in != nil {
		if len(in.Caps) > 1 {
			return "", fmt.Errorf("capabilities %v", in.Caps)
		}
		if len(in.Caps) == 1 {
			w = append(w, "with="+in.Caps[0])
		}
		if len(in.Arches) > 0 {
			w = append(w, "on="+strings.Join(in.Arches, ","))
		}
	}
	if out != nil {
		if len(out.Caps) > 1 || out.MinKernel != nil {
			return "", fmt.Errorf("excludes %v", out)
		}
		if len(out.Caps) == 1 {
			w = append(w, "without="+out.Caps[0])
		}
		if len(out.Arches) > 0 {
			w = append(w, "off="+strings.Join(out.Arches, ","))
		}
	}
	for _, a := range s.Args {
		op, ok := map[specs.LinuxSeccompOperator]string{specs.OpEqualTo: "==", specs.OpNotEqual: "!=", specs.OpLessThan: "<"}[a.Op]
		switch {
		case ok:
			w = append(w, fmt.Sprintf("arg%d%s%#x", a.Index, op, a.Value))
		case a.Op == specs.OpMaskedEqual:
			w = append(w, fmt.Sprintf("arg%d&%#x==%#x", a.Index, a.Value, a.ValueTwo))
		default:
			return "", fmt.Errorf("operator %s", a.Op)
		}
	}
	if len(w) == 0 {
		return "", nil
	}
	return " " + strings.Join(w, " "), nil
}
