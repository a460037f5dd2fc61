/* Makes system calls that a container is not meant to make, each in a process
 * of its own, and prints what became of each: the error number, 0 for none, or
 * "signal" and its number. It changes nothing that it is let at. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif

static long result(long r) { return r < 0 ? errno : 0; }
static long raw(long nr, long a, long b, long c, long d, long e) { return result(syscall(nr, a, b, c, d, e)); }
static long sock(long family, long type, long proto) { return raw(SYS_socket, family, type, proto, 0, 0); }
static long tty(unsigned long request) { char c = 0; return raw(SYS_ioctl, 0, request, (long)&c, 0, 0); }

#ifdef __x86_64__
static long int80(long nr)
{
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? -r : 0;
}
#else
static long int80(long nr) { (void)nr; return 0; }
#endif

/* Each line is one call. */
#define PROBES(P) \
	P(bpf, raw(SYS_bpf, 0, 0, 0, 0, 0)) \
	P(perf_event_open, raw(SYS_perf_event_open, 0, 0, -1, -1, 0)) \
	P(io_uring_setup, raw(SYS_io_uring_setup, 1, 0, 0, 0, 0)) \
	P(keyctl, raw(SYS_keyctl, 0, -3, 0, 0, 0)) \
	P(userfaultfd, raw(SYS_userfaultfd, 0, 0, 0, 0, 0)) \
	P(mount, raw(SYS_mount, 0, 0, 0, 0, 0)) \
	P(unshare_user, raw(SYS_unshare, 0x10000000, 0, 0, 0, 0)) \
	P(clone_user, raw(SYS_clone, 0x10000000 | 17, 0, 0, 0, 0)) \
	P(clone3, raw(SYS_clone3, 0, 0, 0, 0, 0)) \
	P(setns, raw(SYS_setns, -1, 0, 0, 0, 0)) \
	P(ptrace, raw(SYS_ptrace, 16, 0x7ffffff, 0, 0, 0)) \
	P(init_module, raw(SYS_init_module, 0, 0, 0, 0, 0)) \
	P(open_by_handle_at, raw(SYS_open_by_handle_at, -1, 0, 0, 0, 0)) \
	P(personality_no_random, raw(SYS_personality, 0x40000, 0, 0, 0, 0)) \
	P(personality_query, raw(SYS_personality, 0xffffffff, 0, 0, 0, 0)) \
	P(af_alg, sock(38, SOCK_SEQPACKET, 0)) \
	P(af_vsock, sock(40, SOCK_STREAM, 0)) \
	P(af_packet, sock(17, SOCK_RAW, 0)) \
	P(netlink_netfilter, sock(16, SOCK_RAW, 12)) \
	P(netlink_xfrm, sock(16, SOCK_RAW, 6)) \
	P(netlink_route, sock(16, SOCK_RAW, 0)) \
	P(af_unix, sock(1, SOCK_STREAM, 0)) \
	P(af_inet, sock(2, SOCK_STREAM, 0)) \
	P(af_inet6, sock(10, SOCK_DGRAM, 0)) \
	P(tcp, sock(2, SOCK_STREAM, 6)) \
	P(udp, sock(10, SOCK_DGRAM | SOCK_CLOEXEC, 17)) \
	P(sctp, sock(2, SOCK_STREAM, 132)) \
	P(sctp_by_type, sock(10, SOCK_SEQPACKET, 0)) \
	P(udplite, sock(2, SOCK_DGRAM, 136)) \
	P(l2tp, sock(2, SOCK_DGRAM, 115)) \
	P(netlink_audit, sock(16, SOCK_RAW, 9)) \
	P(vmsplice, raw(SYS_vmsplice, -1, 0, 0, 0, 0)) \
	P(mrelease, raw(448, -1, 0, 0, 0, 0)) \
	P(futex_waitv, raw(449, 0, 0, 0, 0, 0)) \
	P(chroot, raw(SYS_chroot, (long)"/", 0, 0, 0, 0)) \
	P(clock_settime, raw(SYS_clock_settime, 99, 0, 0, 0, 0)) \
	P(syslog, raw(SYS_syslog, 10, 0, 0, 0, 0)) \
	P(tiocsti, tty(0x5412)) \
	P(tioclinux, tty(0x541c)) \
	P(tiocsti_upper, tty(0x100005412UL)) \
	P(tiocgwinsz, tty(0x5413)) \
	P(unknown, raw(9999, 0, 0, 0, 0, 0)) \
	P(getpid, raw(SYS_getpid, 0, 0, 0, 0, 0)) \
	P(x32_getpid, raw(0x40000000 | SYS_getpid, 0, 0, 0, 0, 0)) \
	P(int80_getpid, int80(20))

#define CASE(name, call) { pid_t pid = fork(); int status = 0; \
	if (pid == 0) _exit((int)(call)); \
	waitpid(pid, &status, 0); \
	if (WIFSIGNALED(status)) printf(#name " signal %d\n", WTERMSIG(status)); \
	else printf(#name " %d\n", WEXITSTATUS(status)); }

int main(void)
{
	close(0);
	if (open("/dev/null", O_RDONLY) != 0) return 1;
	setvbuf(stdout, NULL, _IONBF, 0);
	PROBES(CASE)
	return 0;
}
