/* Tries what an attacker inside a container builds on, each in a process of its
 * own, and prints "NAME open" or "NAME blocked". What would change the host is asked
 * for with an argument that the kernel refuses after it has let the caller at it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Refused by a filter, a capability or a kernel without it: blocked. Anything else,
 * a complaint about the arguments included, is the code behind it. */
static int let(long r) { return r >= 0 || (errno != EPERM && errno != ENOSYS && errno != EACCES); }
static int sys(long nr, long a, long b, long c, long d, long e) { return let(syscall(nr, a, b, c, d, e)); }
static int sock(int family, int type, int proto)
{
	if (socket(family, type, proto) >= 0)
		return 1;
	return errno != EPERM && errno != EACCES && errno != EAFNOSUPPORT && errno != EPROTONOSUPPORT && errno != ESOCKTNOSUPPORT && errno != ENOSYS;
}
static int reads(const char *path)
{
	char c;
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	return fd >= 0 && read(fd, &c, 1) > 0;
}
static int writes(const char *path) { return open(path, O_WRONLY | O_NONBLOCK) >= 0; }
static int there(const char *path) { return access(path, F_OK) == 0; }
static int node(unsigned mode, unsigned dev) { return mknod("/dev/shm/node", mode | 0600, dev) == 0; }
static int has(int cap) { return prctl(PR_CAPBSET_READ, cap) == 1; }
static int above(int what, rlim_t most)
{
	struct rlimit l;
	return getrlimit(what, &l) == 0 && l.rlim_max > most;
}
static int runs_from(const char *dir)
{
	char to[64], buf[65536];
	snprintf(to, sizeof to, "%s/copied", dir);
	int in = open("/ruler", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ssize_t n;
	if (in < 0 || out < 0)
		return 0;
	while ((n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, n) != n)
			return 0;
	close(out);
	pid_t p = fork();
	if (p == 0) {
		execl(to, "ruler", "none", NULL);
		_exit(1);
	}
	int st;
	waitpid(p, &st, 0);
	return WIFEXITED(st) && WEXITSTATUS(st) == 0;
}
static int runs_from_memory(void)
{
	char buf[65536];
	int in = open("/ruler", O_RDONLY), out = syscall(SYS_memfd_create, "x", 0);
	ssize_t n;
	if (in < 0 || out < 0)
		return 0;
	while ((n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, n) != n)
			return 0;
	char *args[] = { "ruler", "none", NULL }, *env[] = { NULL };
	pid_t p = fork();
	if (p == 0) {
		syscall(SYS_execveat, out, "", args, env, AT_EMPTY_PATH);
		_exit(1);
	}
	int st;
	waitpid(p, &st, 0);
	return WIFEXITED(st) && WEXITSTATUS(st) == 0;
}
static int traces(void)
{
	pid_t p = fork();
	if (p == 0) {
		pause();
		_exit(0);
	}
	int r = ptrace(PTRACE_SEIZE, p, 0, 0) == 0;
	kill(p, SIGKILL);
	return r;
}
static int setuid_gains(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
}
static int filter_free(void) { return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0; }
static int tioc(unsigned long request)
{
	char c = 0;
	ioctl(0, request, &c);
	return errno != EIO && errno != EPERM;
}

#include "table.h"

int main(int argc, char **argv)
{
	if (argc > 1)
		return strcmp(argv[1], "none") != 0;
#define RUN(name, expr)                                               \
	do {                                                          \
		pid_t p = fork();                                     \
		if (p == 0) {                                         \
			signal(SIGSYS, SIG_DFL);                      \
			alarm(10);                                    \
			errno = 0;                                    \
			_exit((expr) ? 0 : 1);                        \
		}                                                     \
		int st;                                               \
		waitpid(p, &st, 0);                                   \
		printf("%s %s\n", #name, WIFEXITED(st) && WEXITSTATUS(st) == 0 ? "open" : "blocked"); \
		fflush(stdout);                                       \
	} while (0);
	PRIMITIVES(RUN)
	return 0;
}
