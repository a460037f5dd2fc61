package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// effort is what a call costs, in numbers that a busy machine does not change.
type effort struct {
	Syscalls  int `json:"syscalls"`  // except for those of Go's scheduler and memory
	Faults    int `json:"faults"`    // pages touched for the first time
	Written   int `json:"written"`   // bytes, to files and sockets
	Processes int `json:"processes"` // started, threads not among them
}

// syscallInfo is struct ptrace_syscall_info (ptrace(2)), as far as it is used.
type syscallInfo struct {
	op   uint8
	_    [3]byte
	arch uint32
	_    [2]uint64
	data [7]uint64 // of an entry: the number and its arguments; of an exit: the result
}

const (
	traceSyscallInfo         = 0x420e // PTRACE_GET_SYSCALL_INFO
	syscallEntry, syscallEnd = 1, 2
)

// scheduling are the calls whose number depends on what else runs.
func scheduling() []uint64 {
	return []uint64{
		unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_SCHED_YIELD, unix.SYS_EPOLL_PWAIT, unix.SYS_CLONE, unix.SYS_CLONE3,
		unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MPROTECT, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGRETURN,
		unix.SYS_SIGALTSTACK, unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_TGKILL, unix.SYS_RESTART_SYSCALL, unix.SYS_PRCTL, unix.SYS_GETRANDOM,
		unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_EXIT,
	}
}

var errNoExec = errors.New("it ended, and did not become the low-level runtime")

// tracer counts what one process and its threads do.
type tracer struct {
	leader   int
	effort   effort
	threads  map[int]uint64 // the call that each is in
	children map[int]bool   // processes that it started: they are not followed
}

// traced runs a command and counts what it does until it becomes another program.
// What it becomes goes on, and is waited for.
func traced(t *testing.T, cmd *exec.Cmd) effort {
	t.Helper()
	runtime.LockOSThread() // ptrace(2) is of a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	errs, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = errs, errs
	must(t, cmd.Start())
	tr := &tracer{leader: cmd.Process.Pid, threads: map[int]uint64{}, children: map[int]bool{}}
	var status unix.WaitStatus
	_, err = unix.Wait4(tr.leader, &status, unix.WALL, nil)
	must(t, err)
	must(t, unix.PtraceSetOptions(tr.leader, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACEFORK|
		unix.PTRACE_O_TRACEVFORK|unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_EXITKILL))
	must(t, unix.PtraceSyscall(tr.leader, 0))
	for {
		done, err := tr.step()
		if err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, read(t, errs.Name()))
		}
		if done {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, read(t, errs.Name()))
	}
	return tr.effort
}

// step waits for one event and lets whoever had it go on.
func (tr *tracer) step() (done bool, err error) {
	var status unix.WaitStatus
	pid, err := unix.Wait4(-1, &status, unix.WALL, nil)
	if err != nil {
		return false, fmt.Errorf("wait: %w", err)
	}
	switch {
	case !status.Stopped() && pid == tr.leader:
		return false, errNoExec
	case !status.Stopped():
		return false, nil // a thread is gone
	}
	if tr.children[pid] || pid != tr.leader && !tr.thread(pid) {
		return false, unix.PtraceDetach(pid) // of a process, before or after its parent's event
	}
	signal := 0
	switch stop := status.StopSignal(); {
	case stop == unix.SIGTRAP|0x80:
		err = tr.call(pid)
	case stop == unix.SIGTRAP && status.TrapCause() > 0:
		if done, err = tr.event(pid, status.TrapCause()); done {
			return true, err
		}
	case stop == unix.SIGSTOP && tr.threads[pid] == 0:
		tr.threads[pid] = ^uint64(0) // a new thread stops once
	default:
		signal = int(stop)
	}
	if err == nil {
		err = unix.PtraceSyscall(pid, signal)
	}
	if errors.Is(err, unix.ESRCH) {
		err = nil // the end of the process came first
	}
	return false, err
}

// thread reports whether a task is one of the process's own.
func (tr *tracer) thread(tid int) bool {
	_, err := os.Lstat(fmt.Sprintf("/proc/%d/task/%d", tr.leader, tid))
	return err == nil
}

func (tr *tracer) event(pid, cause int) (done bool, err error) {
	switch cause {
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK:
		child, err := unix.PtraceGetEventMsg(pid)
		if err != nil {
			return false, err
		}
		tr.effort.Processes++
		tr.children[int(child)] = true
	case unix.PTRACE_EVENT_EXEC: // of whichever thread, under the number of the first
		if tr.effort.Faults, err = faults(pid); err != nil {
			return true, err
		}
		return true, unix.PtraceDetach(pid)
	}
	return false, nil
}

// call counts the entry of a call, and what it wrote at its exit.
func (tr *tracer) call(pid int) error {
	var info syscallInfo
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, traceSyscallInfo, uintptr(pid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return errno
	}
	switch info.op {
	case syscallEntry:
		tr.threads[pid] = info.data[0]
		for _, s := range scheduling() {
			if info.data[0] == s {
				return nil
			}
		}
		tr.effort.Syscalls++
	case syscallEnd:
		switch tr.threads[pid] {
		case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_SENDMSG, unix.SYS_SENDTO:
			if n := int64(info.data[0]); n > 0 { //nolint:gosec // the result of a call is signed
				tr.effort.Written += int(n)
			}
		}
	}
	return nil
}

// faults are the first touches of a process so far (proc_pid_stat(5), field 10).
func faults(pid int) (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 8 {
		return 0, errors.New("/proc/PID/stat cannot be read")
	}
	return strconv.Atoi(fields[7])
}
