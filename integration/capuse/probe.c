/* Does what each capability stands for, once with it alone in the effective set
 * and once with none, and prints both error numbers: "NAME with without", 0 for
 * none. It changes nothing of the host: what would is asked for with an argument
 * that the kernel refuses after it has asked for the capability. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int keep; /* the capability that stays effective; -1 for none */
static char file[64];

static void only(void)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};
	if (syscall(SYS_capget, &h, d)) _exit(250);
	d[0].effective = d[1].effective = 0;
	if (keep >= 0) d[keep / 32].effective = 1U << (keep % 32);
	if (syscall(SYS_capset, &h, d)) _exit(251); /* the machine does not have it */
}

static int result(long r) { return r < 0 ? errno : 0; }

static void own(uid_t uid, gid_t gid, mode_t mode)
{
	snprintf(file, sizeof file, "/t/f%d", getpid());
	int fd = open(file, O_CREAT | O_RDWR, 0600);
	if (fd < 0 || fchown(fd, uid, gid) || fchmod(fd, mode)) _exit(252);
	close(fd);
}

/* a child of another user, which waits */
static pid_t other(void)
{
	int p[2];
	char c;
	if (pipe(p)) _exit(252);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, 9);
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)) _exit(1);
		prctl(PR_SET_DUMPABLE, 1);
		if (write(p[1], "x", 1) < 0) _exit(1);
		for (;;) pause();
	}
	if (read(p[0], &c, 1) != 1) _exit(252);
	return pid;
}

static int audit(int type, int group)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	if (s < 0) return errno;
	struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = group};
	if (group) return result(bind(s, (void *)&to, sizeof to));
	struct { struct nlmsghdr h; char text[8]; } m = {{sizeof m, type, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, "probe"};
	if (sendto(s, &m, sizeof m, 0, (void *)&to, sizeof to) < 0) return errno;
	struct { struct nlmsghdr h; struct nlmsgerr e; char rest[512]; } a = {0};
	if (recv(s, &a, sizeof a, 0) < 0) return errno;
	return a.h.nlmsg_type == NLMSG_ERROR ? -a.e.error : 0;
}

static int do_chown(void) { own(0, 0, 0600); only(); return result(chown(file, 5, 5)); }
static int do_dac_override(void) { own(1000, 1000, 0); only(); return result(open(file, O_RDWR)); }
static int do_dac_read_search(void) { own(1000, 1000, 0); only(); return result(open(file, O_RDONLY)); }
static int do_fowner(void) { own(1000, 1000, 0666); only(); return result(chmod(file, 0644)); }
static int do_fsetid(void)
{
	struct stat st;
	own(0, 1000, 0644);
	only();
	if (chmod(file, 02755) || stat(file, &st)) return errno;
	return st.st_mode & S_ISGID ? 0 : EPERM;
}
static int do_kill(void) { pid_t p = other(); only(); return result(kill(p, 0)); }
static int do_setgid(void) { only(); return result(syscall(SYS_setgid, 7)); }
static int do_setuid(void) { only(); return result(syscall(SYS_setuid, 7)); }
static int do_setpcap(void) { only(); return result(prctl(PR_CAPBSET_DROP, CAP_MAC_ADMIN)); }
static int do_linux_immutable(void)
{
	int flags = FS_APPEND_FL;
	own(0, 0, 0600);
	int fd = open(file, O_RDONLY);
	only();
	return result(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}
static int do_net_bind_service(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
	int s = socket(AF_INET, SOCK_STREAM, 0);
	only();
	return result(bind(s, (void *)&a, sizeof a));
}
static int do_net_admin(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(s, SIOCGIFFLAGS, &r)) return errno;
	only();
	return result(ioctl(s, SIOCSIFFLAGS, &r));
}
static int do_net_raw(void) { only(); return result(socket(AF_INET, SOCK_RAW, 1)); }
static int do_ipc_lock(void)
{
	struct rlimit none = {0, 0};
	void *p = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	setrlimit(RLIMIT_MEMLOCK, &none);
	only();
	return result(mlock(p, 4096));
}
static int do_ipc_owner(void)
{
	int p[2], id = -1;
	if (pipe(p)) return 252;
	if (fork() == 0) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)) _exit(1);
		id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
		if (write(p[1], &id, sizeof id) < 0) _exit(1);
		_exit(0);
	}
	if (read(p[0], &id, sizeof id) != sizeof id) return 252;
	only();
	return shmat(id, 0, 0) == (void *)-1 ? errno : 0;
}
static int do_sys_module(void) { only(); return result(syscall(SYS_init_module, 0, 0, "")); }
static int do_sys_rawio(void) { only(); return result(syscall(SYS_iopl, 3)); }
static int do_sys_chroot(void) { only(); return result(chroot("/")); }
static int do_sys_ptrace(void) { pid_t p = other(); only(); return result(ptrace(PTRACE_SEIZE, p, 0, 0)); }
static int do_sys_pacct(void) { only(); return result(syscall(SYS_acct, "/none/of/this")); }
static int do_sys_admin(void) { only(); return result(mount("none", "/mnt", "tmpfs", 0, "size=4k")); }
static int do_sys_boot(void) { only(); return result(syscall(SYS_reboot, 0, 0, 0, 0)); }
static int do_sys_nice(void) { only(); return result(setpriority(PRIO_PROCESS, 0, -1)); }
static int do_sys_resource(void)
{
	struct rlimit l = {10, 10}, more = {10, 20};
	if (setrlimit(RLIMIT_SIGPENDING, &l)) return errno;
	only();
	return result(setrlimit(RLIMIT_SIGPENDING, &more));
}
static int do_sys_time(void)
{
	struct timex t = {.modes = ADJ_TICK, .tick = 1}; /* no such tick */
	only();
	return result(syscall(SYS_adjtimex, &t));
}
static int do_sys_tty_config(void) { setsid(); only(); return result(vhangup()); }
static int do_mknod(void)
{
	snprintf(file, sizeof file, "/t/n%d", getpid());
	only();
	return result(mknod(file, S_IFCHR | 0600, 0x103));
}
static int do_lease(void)
{
	own(1000, 1000, 0644);
	int fd = open(file, O_RDONLY);
	only();
	return result(fcntl(fd, F_SETLEASE, F_RDLCK));
}
static int do_audit_write(void) { only(); return audit(AUDIT_USER, 0); }
static int do_audit_control(void) { only(); return audit(AUDIT_GET, 0); }
static int do_audit_read(void) { only(); return audit(0, 1); }
static int do_setfcap(void)
{
	struct vfs_cap_data d = {.magic_etc = VFS_CAP_REVISION_2};
	own(0, 0, 0755);
	only();
	return result(setxattr(file, "security.capability", &d, sizeof d, 0));
}
static int do_syslog(void) { only(); return result(syscall(SYS_syslog, 8, 0, 0)); } /* no such level */
static int do_wake_alarm(void) { only(); return result(syscall(SYS_timerfd_create, 8, 0)); }
static int do_block_suspend(void)
{
	char path[64], line[512] = "";
	int e = epoll_create1(0), p[2];
	struct epoll_event ev = {.events = EPOLLIN | EPOLLWAKEUP};
	if (pipe(p)) return errno;
	only();
	if (epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev)) return errno;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", e);
	int fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, line, sizeof line - 1) < 0) return errno;
	char *at = strstr(line, "events:");
	return at && strtoul(at + 7, 0, 16) & EPOLLWAKEUP ? 0 : EPERM;
}
static int do_perfmon(void)
{
	struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE, .size = sizeof a, .config = PERF_COUNT_SW_CPU_CLOCK};
	only();
	return result(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0));
}
static int do_bpf(void)
{
	union bpf_attr a = {.map_type = BPF_MAP_TYPE_LRU_HASH, .key_size = 4, .value_size = 4, .max_entries = 4};
	only();
	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a));
}
static int do_checkpoint_restore(void)
{
	pid_t want = 4321;
	struct clone_args a = {.exit_signal = SIGCHLD, .set_tid = (unsigned long)&want, .set_tid_size = 1};
	only();
	long r = syscall(SYS_clone3, &a, sizeof a);
	if (r == 0) _exit(0);
	return result(r);
}

#define ALL(P) P(chown, 0) P(dac_override, 1) P(dac_read_search, 2) P(fowner, 3) P(fsetid, 4) P(kill, 5) P(setgid, 6) P(setuid, 7) \
	P(setpcap, 8) P(linux_immutable, 9) P(net_bind_service, 10) P(net_admin, 12) P(net_raw, 13) P(ipc_lock, 14) P(ipc_owner, 15) \
	P(sys_module, 16) P(sys_rawio, 17) P(sys_chroot, 18) P(sys_ptrace, 19) P(sys_pacct, 20) P(sys_admin, 21) P(sys_boot, 22) \
	P(sys_nice, 23) P(sys_resource, 24) P(sys_time, 25) P(sys_tty_config, 26) P(mknod, 27) P(lease, 28) P(audit_write, 29) \
	P(audit_control, 30) P(setfcap, 31) P(syslog, 34) P(wake_alarm, 35) P(block_suspend, 36) P(audit_read, 37) P(perfmon, 38) \
	P(bpf, 39) P(checkpoint_restore, 40)

static int once(int (*f)(void), int with)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		keep = with;
		alarm(20);
		_exit(f());
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
#define CASE(name, cap) { int with = once(do_##name, cap); printf(#name " %d %d\n", with, once(do_##name, -1)); }
	ALL(CASE)
	return 0;
}
