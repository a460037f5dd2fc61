/* Each line is one primitive. */
#define PRIMITIVES(P) \
	P(bpf, sys(SYS_bpf, 99, 0, 0, 0, 0)) \
	P(perf_event_open, sys(SYS_perf_event_open, 0, 0, 0, -1, 0)) \
	P(io_uring_setup, sys(SYS_io_uring_setup, 0, 0, 0, 0, 0)) \
	P(userfaultfd, sys(SYS_userfaultfd, -1, 0, 0, 0, 0)) \
	P(keyctl, sys(SYS_keyctl, 0, -3, 0, 0, 0)) \
	P(add_key, sys(SYS_add_key, 0, 0, 0, 0, 0)) \
	P(request_key, sys(SYS_request_key, 0, 0, 0, 0, 0)) \
	P(kexec_load, sys(SYS_kexec_load, 0, 0, 0, -1, 0)) \
	P(init_module, sys(SYS_init_module, 0, 0, 0, 0, 0)) \
	P(finit_module, sys(SYS_finit_module, -1, 0, 0, 0, 0)) \
	P(delete_module, sys(SYS_delete_module, 0, 0, 0, 0, 0)) \
	P(open_by_handle_at, sys(SYS_open_by_handle_at, -1, 0, 0, 0, 0)) \
	P(mount, sys(SYS_mount, 0, 0, 0, 0, 0)) \
	P(umount2, sys(SYS_umount2, 0, 0, 0, 0, 0)) \
	P(pivot_root, sys(SYS_pivot_root, 0, 0, 0, 0, 0)) \
	P(fsopen, sys(SYS_fsopen, 0, 0, 0, 0, 0)) \
	P(open_tree, sys(SYS_open_tree, -1, 0, -1, 0, 0)) \
	P(move_mount, sys(SYS_move_mount, -1, 0, -1, 0, 0)) \
	P(mount_setattr, sys(442, -1, 0, -1, 0, 0)) \
	P(setns, sys(SYS_setns, -1, 0, 0, 0, 0)) \
	P(acct, sys(SYS_acct, -1, 0, 0, 0, 0)) \
	P(swapon, sys(SYS_swapon, 0, 0, 0, 0, 0)) \
	P(swapoff, sys(SYS_swapoff, 0, 0, 0, 0, 0)) \
	P(reboot, sys(SYS_reboot, 0, 0, 0, 0, 0)) \
	P(settimeofday, sys(SYS_settimeofday, -1, 0, 0, 0, 0)) \
	P(clock_settime, sys(SYS_clock_settime, -1, 0, 0, 0, 0)) \
	P(adjtimex, sys(SYS_adjtimex, -1, 0, 0, 0, 0)) \
	P(syslog, sys(SYS_syslog, 3, 0, -1, 0, 0)) \
	P(quotactl, sys(SYS_quotactl, -1, 0, 0, 0, 0)) \
	P(lookup_dcookie, sys(SYS_lookup_dcookie, 0, 0, 0, 0, 0)) \
	P(iopl, sys(SYS_iopl, 3, 0, 0, 0, 0)) \
	P(ioperm, sys(SYS_ioperm, 0, 1, 1, 0, 0)) \
	P(nfsservctl, sys(SYS_nfsservctl, 0, 0, 0, 0, 0)) \
	P(process_vm_readv, sys(SYS_process_vm_readv, 1, 0, -1, 0, 0)) \
	P(process_vm_writev, sys(SYS_process_vm_writev, 1, 0, -1, 0, 0)) \
	P(kcmp, sys(SYS_kcmp, 1, 1, 99, 0, 0)) \
	P(pidfd_getfd, sys(438, -1, 0, 0, 0, 0)) \
	P(process_madvise, sys(440, -1, 0, 0, 0, 0)) \
	P(process_mrelease, sys(448, -1, 0, 0, 0, 0)) \
	P(fanotify_init, sys(SYS_fanotify_init, -1, 0, 0, 0, 0)) \
	P(name_to_handle_at, sys(SYS_name_to_handle_at, -1, 0, 0, 0, 0)) \
	P(vmsplice, sys(SYS_vmsplice, -1, 0, 0, 0, 0)) \
	P(move_pages, sys(SYS_move_pages, 1, 0, 0, 0, 0)) \
	P(migrate_pages, sys(SYS_migrate_pages, 1, 0, 0, 0, 0)) \
	P(set_mempolicy_home_node, sys(450, 0, 0, 0, 0, 0)) \
	P(futex_waitv, sys(449, 0, 0, 0, 0, 0)) \
	P(memfd_secret, sys(447, -1, 0, 0, 0, 0)) \
	P(modify_ldt, sys(SYS_modify_ldt, -1, 0, 0, 0, 0)) \
	P(uselib, sys(SYS_uselib, 0, 0, 0, 0, 0)) \
	P(ustat, sys(SYS_ustat, 0, 0, 0, 0, 0)) \
	P(sysfs, sys(SYS_sysfs, -1, 0, 0, 0, 0)) \
	P(vhangup, sys(SYS_vhangup, 0, 0, 0, 0, 0)) \
	P(sethostname, sys(SYS_sethostname, -1, 99999, 0, 0, 0)) \
	P(chroot, sys(SYS_chroot, 0, 0, 0, 0, 0)) \
	P(quotactl_fd, sys(443, -1, 0, 0, 0, 0)) \
	P(unshare_user, unshare(CLONE_NEWUSER) == 0) \
	P(unshare_net, unshare(CLONE_NEWNET) == 0) \
	P(unshare_pid, unshare(CLONE_NEWPID) == 0) \
	P(unshare_ipc, unshare(CLONE_NEWIPC) == 0) \
	P(unshare_uts, unshare(CLONE_NEWUTS) == 0) \
	P(unshare_mount, unshare(CLONE_NEWNS) == 0) \
	P(unshare_cgroup, unshare(0x02000000) == 0) \
	P(unshare_time, unshare(0x80) == 0) \
	P(clone3, sys(435, 0, 0, 0, 0, 0)) \
	P(trace_child, traces()) \
	P(no_filter, filter_free()) \
	P(gain_by_setuid, setuid_gains()) \
	P(tiocsti, tioc(0x5412)) \
	P(tioclinux, tioc(0x541C)) \
	P(socket_netlink_audit, sock(AF_NETLINK, SOCK_RAW, 9)) \
	P(socket_netlink_netfilter, sock(AF_NETLINK, SOCK_RAW, 12)) \
	P(socket_netlink_xfrm, sock(AF_NETLINK, SOCK_RAW, 6)) \
	P(socket_netlink_generic, sock(AF_NETLINK, SOCK_RAW, 16)) \
	P(socket_netlink_crypto, sock(AF_NETLINK, SOCK_RAW, 21)) \
	P(socket_netlink_uevent, sock(AF_NETLINK, SOCK_RAW, 15)) \
	P(socket_raw_icmp, sock(AF_INET, SOCK_RAW, 1)) \
	P(socket_packet, sock(AF_PACKET, SOCK_RAW, 0)) \
	P(socket_vsock, sock(AF_VSOCK, SOCK_STREAM, 0)) \
	P(socket_alg, sock(38, SOCK_SEQPACKET, 0)) \
	P(socket_tipc, sock(30, SOCK_STREAM, 0)) \
	P(socket_can, sock(29, SOCK_RAW, 1)) \
	P(socket_bluetooth, sock(31, SOCK_RAW, 1)) \
	P(socket_rds, sock(21, SOCK_SEQPACKET, 0)) \
	P(socket_kcm, sock(41, SOCK_DGRAM, 0)) \
	P(socket_xdp, sock(44, SOCK_RAW, 0)) \
	P(socket_smc, sock(43, SOCK_STREAM, 0)) \
	P(socket_qipcrtr, sock(42, SOCK_DGRAM, 0)) \
	P(socket_nfc, sock(39, SOCK_SEQPACKET, 0)) \
	P(socket_ax25, sock(3, SOCK_DGRAM, 0)) \
	P(socket_appletalk, sock(5, SOCK_DGRAM, 0)) \
	P(socket_x25, sock(9, SOCK_SEQPACKET, 0)) \
	P(socket_pppox, sock(24, SOCK_DGRAM, 2)) \
	P(socket_sctp, sock(AF_INET, SOCK_STREAM, 132)) \
	P(socket_dccp, sock(AF_INET, 6, 33)) \
	P(socket_udplite, sock(AF_INET, SOCK_DGRAM, 136)) \
	P(socket_l2tp, sock(AF_INET, SOCK_DGRAM, 115)) \
	P(socket_mptcp, sock(AF_INET, SOCK_STREAM, 262)) \
	P(cap_fsetid, has(4)) \
	P(cap_setpcap, has(8)) \
	P(cap_net_bind_service, has(10)) \
	P(cap_net_raw, has(13)) \
	P(cap_sys_chroot, has(18)) \
	P(cap_mknod, has(27)) \
	P(cap_audit_write, has(29)) \
	P(cap_setfcap, has(31)) \
	P(read_kcore, reads("/proc/kcore")) \
	P(read_keys, reads("/proc/keys")) \
	P(read_key_users, reads("/proc/key-users")) \
	P(read_timer_list, reads("/proc/timer_list")) \
	P(read_sched_debug, reads("/proc/sched_debug")) \
	P(read_interrupts, reads("/proc/interrupts")) \
	P(read_kallsyms, reads("/proc/kallsyms")) \
	P(read_modules, reads("/proc/modules")) \
	P(read_cmdline, reads("/proc/cmdline")) \
	P(read_version_of_firmware, reads("/sys/firmware/memmap/0/start")) \
	P(read_iomem, reads("/proc/iomem")) \
	P(read_ioports, reads("/proc/ioports")) \
	P(read_slabinfo, reads("/proc/slabinfo")) \
	P(read_pagetypeinfo, reads("/proc/pagetypeinfo")) \
	P(read_zoneinfo, reads("/proc/zoneinfo")) \
	P(read_vmallocinfo, reads("/proc/vmallocinfo")) \
	P(read_buddyinfo, reads("/proc/buddyinfo")) \
	P(read_diskstats, reads("/proc/diskstats")) \
	P(read_partitions, reads("/proc/partitions")) \
	P(read_swaps, reads("/proc/swaps")) \
	P(read_config, reads("/proc/config.gz")) \
	P(read_softirqs, reads("/proc/softirqs")) \
	P(read_consoles, reads("/proc/consoles")) \
	P(read_crypto, reads("/proc/crypto")) \
	P(read_misc, reads("/proc/misc")) \
	P(read_devices, reads("/proc/devices")) \
	P(read_kpageflags, reads("/proc/kpageflags")) \
	P(read_latency, reads("/proc/latency_stats")) \
	P(read_schedstat, reads("/proc/schedstat")) \
	P(read_mdstat, reads("/proc/mdstat")) \
	P(read_core_pattern, reads("/proc/sys/kernel/core_pattern")) \
	P(read_modprobe, reads("/proc/sys/kernel/modprobe")) \
	P(read_pressure, reads("/proc/pressure/cpu")) \
	P(read_dmi, reads("/sys/class/dmi/id/sys_vendor")) \
	P(read_kernel_notes, reads("/sys/kernel/notes")) \
	P(read_vmcoreinfo, reads("/sys/kernel/vmcoreinfo")) \
	P(read_uevent_helper, reads("/sys/kernel/uevent_helper")) \
	P(read_kmsg_device, reads("/dev/kmsg")) \
	P(read_mem_device, reads("/dev/mem")) \
	P(write_core_pattern, writes("/proc/sys/kernel/core_pattern")) \
	P(write_sysrq, writes("/proc/sysrq-trigger")) \
	P(write_sysctl, writes("/proc/sys/vm/drop_caches")) \
	P(write_panic, writes("/proc/sys/kernel/panic")) \
	P(write_modprobe, writes("/proc/sys/kernel/modprobe")) \
	P(write_binfmt, writes("/proc/sys/fs/binfmt_misc/register")) \
	P(write_acpi, writes("/proc/acpi/wakeup")) \
	P(write_irq, writes("/proc/irq/default_smp_affinity")) \
	P(write_bus, writes("/proc/bus/pci/00")) \
	P(write_uevent_helper, writes("/sys/kernel/uevent_helper")) \
	P(write_release_agent, writes("/sys/fs/cgroup/memory/release_agent")) \
	P(write_power, writes("/sys/power/state")) \
	P(write_net_sysctl, writes("/proc/sys/net/ipv4/ip_forward")) \
	P(there_block_devices, there("/sys/block/loop0")) \
	P(there_block_class, there("/sys/class/block/loop0")) \
	P(there_debugfs, there("/sys/kernel/debug/tracing")) \
	P(there_tracefs, there("/sys/kernel/tracing/trace")) \
	P(there_bpffs, there("/sys/fs/bpf/ip")) \
	P(there_securityfs, there("/sys/kernel/security/lsm")) \
	P(there_efivars, there("/sys/firmware/efi/efivars")) \
	P(there_fuse, there("/dev/fuse")) \
	P(there_tun, there("/dev/net/tun")) \
	P(there_kvm, there("/dev/kvm")) \
	P(node_char, node(S_IFCHR, 0x101)) \
	P(node_block, node(S_IFBLK, 0x700)) \
	P(core_dump, above(RLIMIT_CORE, 0)) \
	P(files_unbounded, above(RLIMIT_NOFILE, 65536)) \
	P(locked_unbounded, above(RLIMIT_MEMLOCK, 8388608)) \
	P(processes_unbounded, above(RLIMIT_NPROC, 4096)) \
	P(realtime, above(RLIMIT_RTPRIO, 0)) \
	P(run_from_dev, runs_from("/dev")) \
	P(run_from_shm, runs_from("/dev/shm")) \
	P(run_from_tmp, runs_from("/tmp")) \
	P(run_from_memory, runs_from_memory()) \
	P(write_image, open("/bin/new", O_WRONLY | O_CREAT, 0600) >= 0) \
	P(write_and_execute, mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
