//go:build cgo

package proof

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// childEnv makes this test program a compiler: filters come in on standard
// input, programs go out on standard output.
const childEnv = "HATCHDOG_SECCOMP_COMPILER"

// patience is how long one filter may take to compile. libseccomp can be made
// to compile for ever.
const patience = 20 * time.Second

var errEndless = errors.New("libseccomp did not come to an end and was killed")

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if count := os.Getenv(timerEnv); count != "" {
		if err := timer(count, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// compiler is a child that compiles one filter after the other.
type compiler struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (c *compiler) start() error {
	c.cmd = exec.Command("/proc/self/exe")
	c.cmd.Env = append(os.Environ(), childEnv+"=1")
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.out = bufio.NewReader(out)
	return c.cmd.Start()
}

func (c *compiler) stop() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}

func newCompiler(t testing.TB) *compiler {
	c := &compiler{}
	t.Cleanup(c.stop)
	return c
}

// compile is what libseccomp makes of a filter. A child that takes too long is
// killed.
func (c *compiler) compile(s *specs.LinuxSeccomp) (program, error) {
	return c.within(patience, s)
}

func (c *compiler) within(limit time.Duration, s *specs.LinuxSeccomp) (program, error) {
	if c.cmd == nil {
		if err := c.start(); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	timer := time.AfterFunc(limit, func() { _ = c.cmd.Process.Kill() })
	start := time.Now()
	answer, err := c.ask(raw)
	timer.Stop()
	if err != nil {
		c.stop()
		if time.Since(start) >= limit {
			return nil, errEndless
		}
		return nil, err
	}
	return decodeProgram(answer)
}

func (c *compiler) ask(raw []byte) ([]byte, error) {
	if err := writeBlock(c.in, raw); err != nil {
		return nil, err
	}
	status, err := c.out.ReadByte()
	if err != nil {
		return nil, fmt.Errorf("the compiler died: %w", err)
	}
	answer, err := readBlock(c.out)
	if err == nil && status != 0 {
		err = errors.New(string(answer))
	}
	return answer, err
}

func writeBlock(w io.Writer, b []byte) error {
	if err := binary.Write(w, binary.LittleEndian, uint32(len(b))); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

func readBlock(r io.Reader) ([]byte, error) {
	var n uint32
	if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func serve(in io.Reader, out io.Writer) error {
	r, w := bufio.NewReader(in), bufio.NewWriter(out)
	for {
		raw, err := readBlock(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var s specs.LinuxSeccomp
		status := byte(0)
		answer, err := []byte(nil), json.Unmarshal(raw, &s)
		if err == nil {
			answer, err = build(&s)
		}
		if err != nil {
			status, answer = 1, []byte(err.Error())
		}
		if err := errors.Join(w.WriteByte(status), writeBlock(w, answer), w.Flush()); err != nil {
			return err
		}
	}
}

// build hands the filter to libseccomp as runc 1.5 does.
func build(s *specs.LinuxSeccomp) ([]byte, error) {
	def, err := action(s.DefaultAction, s.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	filter, err := libseccomp.NewFilter(def)
	if err != nil {
		return nil, err
	}
	defer filter.Release()
	for _, a := range s.Architectures {
		token, ok := tokens[a]
		if !ok {
			return nil, fmt.Errorf("architecture %q", a)
		}
		if err := filter.AddArch(token); err != nil {
			return nil, err
		}
	}
	calls := 0
	for _, r := range s.Syscalls {
		calls += len(r.Names)
	}
	if calls > 32 {
		if err := filter.SetOptimize(2); err != nil {
			return nil, err
		}
	}
	for _, r := range s.Syscalls {
		for _, name := range r.Names {
			if err := addRule(filter, def, name, r); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer pr.Close()
	failed := make(chan error, 1)
	go func() { failed <- errors.Join(filter.ExportBPF(pw), pw.Close()) }()
	code, err := io.ReadAll(pr)
	return code, errors.Join(err, <-failed)
}

func addRule(f *libseccomp.ScmpFilter, def libseccomp.ScmpAction, name string, r specs.LinuxSyscall) error {
	act, err := action(r.Action, r.ErrnoRet)
	if err != nil || act == def {
		return err
	}
	nr, err := libseccomp.GetSyscallFromName(name)
	if err != nil {
		return nil // runc ignores it too
	}
	if len(r.Args) == 0 {
		return f.AddRule(nr, act)
	}
	var conds []libseccomp.ScmpCondition
	seen := map[uint]bool{}
	twice := false
	for _, a := range r.Args {
		c, err := libseccomp.MakeCondition(a.Index, operators[a.Op], a.Value, a.ValueTwo)
		if err != nil {
			return err
		}
		conds = append(conds, c)
		twice = twice || seen[a.Index]
		seen[a.Index] = true
	}
	if !twice {
		return f.AddRuleConditional(nr, act, conds)
	}
	for _, c := range conds {
		if err := f.AddRuleConditional(nr, act, []libseccomp.ScmpCondition{c}); err != nil {
			return err
		}
	}
	return nil
}

func action(a specs.LinuxSeccompAction, ret *uint) (libseccomp.ScmpAction, error) {
	code := int16(syscall.EPERM)
	if ret != nil {
		code = int16(*ret)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return libseccomp.ActKillThread, nil
	case specs.ActKillProcess:
		return libseccomp.ActKillProcess, nil
	case specs.ActTrap:
		return libseccomp.ActTrap, nil
	case specs.ActErrno:
		return libseccomp.ActErrno.SetReturnCode(code), nil
	case specs.ActTrace:
		return libseccomp.ActTrace.SetReturnCode(code), nil
	case specs.ActLog:
		return libseccomp.ActLog, nil
	case specs.ActAllow:
		return libseccomp.ActAllow, nil
	case specs.ActNotify:
		return libseccomp.ActNotify, nil
	}
	return 0, fmt.Errorf("action %q", a)
}

var operators = map[specs.LinuxSeccompOperator]libseccomp.ScmpCompareOp{
	specs.OpNotEqual: libseccomp.CompareNotEqual, specs.OpLessThan: libseccomp.CompareLess,
	specs.OpLessEqual: libseccomp.CompareLessOrEqual, specs.OpEqualTo: libseccomp.CompareEqual,
	specs.OpGreaterEqual: libseccomp.CompareGreaterEqual, specs.OpGreaterThan: libseccomp.CompareGreater,
	specs.OpMaskedEqual: libseccomp.CompareMaskedEqual,
}

var tokens = map[specs.Arch]libseccomp.ScmpArch{
	specs.ArchX86_64: libseccomp.ArchAMD64, specs.ArchX86: libseccomp.ArchX86, specs.ArchX32: libseccomp.ArchX32,
	specs.ArchAARCH64: libseccomp.ArchARM64, specs.ArchARM: libseccomp.ArchARM,
}
