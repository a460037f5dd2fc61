package integration

import (
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/why"
)

func bind(source, at string, options ...string) specs.Mount {
	return specs.Mount{Destination: at, Type: "bind", Source: source, Options: append([]string{"rbind", "rprivate"}, options...)}
}

func tmpfs(at string, options ...string) specs.Mount {
	return specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: append([]string{"nosuid", "mode=1777"}, options...)}
}

func put(t *testing.T, path, text string, mode os.FileMode, uid int) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o600))
	must(t, os.Chown(path, uid, uid))
	must(t, os.Chmod(path, mode))
}

// whyPrograms lie in every box.
func whyPrograms(t *testing.T, root string) {
	t.Helper()
	put(t, root+"/bin/plain-text", "hello\n", 0o755, 0)
	put(t, root+"/bin/not-executable", read(t, "/bin/busybox"), 0o644, 0)
	put(t, root+"/bin/old-script", "#!/usr/bin/python9\n", 0o755, 0)
	foreign := []byte(read(t, "/bin/busybox"))
	foreign[18], foreign[19] = 0xf3, 0 // e_machine: RISC-V
	put(t, root+"/bin/foreign", string(foreign), 0o755, 0)
	put(t, root+"/bin/linked", read(t, "/bin/ls"), 0o755, 0)
	must(t, os.Symlink("/nowhere/at/all", root+"/dangling"))
	must(t, os.Symlink("/round", root+"/round"))
}

// plainBox is what ctr asks for, without a filter, under the default profile.
func plainBox() box {
	return box{
		name:   "plain",
		policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, onExcess: {devices: tighten}}\n",
		files: func(t *testing.T, root, vol string) {
			whyPrograms(t, root)
			put(t, vol+"/ro/file", "x", 0o666, 0)
			put(t, vol+"/rw/dir/file", "x", 0o666, 0)
		},
		edit: func(_ *testing.T, s *specs.Spec, vol string) {
			s.Process.Args = []string{"/bin/sh", "-c", "busybox httpd -p 8080; while :; do sleep 600; done"}
			s.Mounts = append(s.Mounts, bind(vol+"/ro", "/ro", "ro"), bind(vol+"/rw", "/rw", "rw"), tmpfs("/small", "size=64k"), tmpfs("/noexec", "noexec"))
			major, minor := int64(10), int64(229)
			s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: "/dev/fuse", Type: "c", Major: major, Minor: minor})
			s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &major, Minor: &minor, Access: "rwm"})
		},
		causes: []cause{
			{target: "chroot", inside: "chroot / /bin/sh -c true", fails: "not permitted", want: why.Hatchdog, says: "CAP_SYS_CHROOT", follow: true},
			{target: "mount", inside: "mount -t tmpfs none /small", fails: "permission denied", want: why.Other, layer: why.LayerRequest, says: "hatchdog's filter denies it as well"},
			{target: "unshare 0x10000000", inside: "unshare -U true", fails: "unshare", want: why.Hatchdog, says: "seccomp.table"},
			{target: "swapon", inside: "swapon /rw/dir/file", fails: "swapon", want: why.Other, layer: why.LayerRequest, says: "CAP_SYS_ADMIN"},
			{target: "clock_settime", inside: "! date -s 2030-01-01 2>&1 | grep -q 'not permitted'", want: why.Other, layer: why.LayerRequest, says: "CAP_SYS_TIME"},
			{target: "CAP_NET_RAW", inside: "ping -c1 -W1 127.0.0.1", fails: "permission denied", want: why.Hatchdog, says: "capabilities.max"},
			{target: "MKNOD", inside: "mknod /x c 1 3", fails: "not permitted", want: why.Hatchdog, says: "capabilities.max"},
			{target: "SYS_ADMIN", inside: "hostname x", fails: "not permitted", want: why.Other, layer: why.LayerRequest, says: "--cap-add"},
			{target: "/proc/cmdline", inside: `test -n "$(cat /proc/cmdline)"`, want: why.Hatchdog, says: "is hidden", follow: true},
			{target: "/proc/timer_list", inside: `test -n "$(cat /proc/timer_list)"`, want: why.Other, layer: why.LayerRequest, says: "linux.maskedPaths"},
			{target: "/proc/sys/kernel/panic --for write", inside: "echo 1 >/proc/sys/kernel/panic", fails: "Read-only", want: why.Other, layer: why.LayerRequest, says: "linux.readonlyPaths"},
			{target: "/dev/fuse", inside: "cat /dev/fuse", fails: "No such file", want: why.Hatchdog, says: "taken out of the request"},
			{target: "/dev/kvm", inside: "cat /dev/kvm", fails: "No such file", want: why.Other, layer: why.LayerMissing},
			{target: "/ro/file --for write", inside: "echo x >/ro/file", fails: "Read-only", want: why.Other, layer: why.LayerReadOnly},
			{target: "/ro/new --for write", inside: "echo x >/ro/new", fails: "Read-only", want: why.Other, layer: why.LayerReadOnly},
			{target: "/rw/stranger", before: func(t *testing.T, m *made) { put(t, m.dir+"/vol/rw/stranger", "x", 0o600, 3000000) }, inside: "cat /rw/stranger", fails: "Permission denied", want: why.Hatchdog, says: "no id in the user namespace"},
			{target: "/etc/app/config.yaml", inside: "cat /etc/app/config.yaml", fails: "No such file", want: why.Other, layer: why.LayerMissing, says: "/etc is not there"},
			{target: "/dangling", inside: "cat /dangling", fails: "No such file", want: why.Other, layer: why.LayerMissing, says: "by the link /dangling"},
			{target: "/round", inside: "cat /round", fails: "symbolic links", want: why.Other, layer: why.LayerFile, says: "circle"},
			{target: "/bin/sh/x", inside: "cat /bin/sh/x", fails: "Not a directory", want: why.Other, layer: why.LayerFile, says: "no directory"},
			{target: "/small/x --for write", inside: "dd if=/dev/zero of=/small/x bs=1k count=128", fails: "No space", want: why.Other, layer: why.LayerDisk},
			{target: "/bin/plain-text --for execute", inside: "/bin/busybox timeout 5 /bin/plain-text", want: why.Other, layer: why.LayerFile},
			{target: "/bin/not-executable --for execute", inside: "/bin/not-executable", fails: "Permission denied", want: why.Other, layer: why.LayerPermissions},
			{target: "/bin/old-script --for execute", inside: "/bin/old-script", fails: "not found", want: why.Other, layer: why.LayerImage, says: "/usr/bin/python9"},
			{target: "/bin/foreign --for execute", inside: "/bin/busybox timeout 5 /bin/foreign", want: why.Other, layer: why.LayerImage, says: "processor"},
			{target: "/bin/linked --for execute", inside: "/bin/linked", fails: "not found", want: why.Other, layer: why.LayerImage, says: "ld-linux"},
			{target: "/rw/dir --for execute", inside: "/rw/dir", fails: "ermission denied", want: why.Other, layer: why.LayerFile, says: "directory"},
			{target: "127.0.0.1:81", inside: "nc -w1 127.0.0.1 81 </dev/null", fails: "refused", want: why.Other, layer: why.LayerPort},
			{target: "198.51.100.9:80", inside: "nc -w1 198.51.100.9 80 </dev/null", fails: "unreachable", want: why.Other, layer: why.LayerRoute},
			{target: "169.254.169.254:80", inside: "nc -w1 169.254.169.254 80 </dev/null", fails: "unreachable", want: why.Other, layer: why.LayerRoute, says: "would drop the packet as well"},
			{target: ":80", inside: "timeout 3 nc -l -p 80", fails: "ermission denied", want: why.Hatchdog, says: "CAP_NET_BIND_SERVICE"},
			{target: ":8080", inside: "timeout 3 nc -l -p 8080", fails: "in use", want: why.Other, layer: why.LayerPort, says: "in use"},
			{target: "db.example.org:5432", inside: "nc -w1 db.example.org 5432", fails: "bad address", want: why.Other, layer: why.LayerDNS, says: "names no resolver"},
		},
	}
}

// dockerBox has Docker's own filter and asks for less itself.
func dockerBox() box {
	return box{
		name:   "docker",
		policy: "profile: restricted\n",
		files: func(t *testing.T, root, vol string) {
			whyPrograms(t, root)
			put(t, root+"/lib64/ld-linux-x86-64.so.2", read(t, "/lib64/ld-linux-x86-64.so.2"), 0o755, 0)
			put(t, root+"/bin/setuid", read(t, "/bin/busybox"), 0o755|os.ModeSetuid, 5)
			put(t, vol+"/fixed", "x", 0o666, 0)
			mustRun(t, "chattr", "+i", vol+"/fixed")
			t.Cleanup(func() { run(t, "chattr", "-i", vol+"/fixed") })
			must(t, os.MkdirAll(vol+"/mounted", 0o755))
			mustRun(t, "mount", "-t", "tmpfs", "-o", "ro", "tmpfs", vol+"/mounted")
			t.Cleanup(func() { run(t, "umount", "-l", vol+"/mounted") })
		},
		edit: func(t *testing.T, s *specs.Spec, vol string) {
			s.Linux.Seccomp = dockersFilter(t)
			s.Process.NoNewPrivileges = true
			s.Root.Readonly = true
			s.Mounts = append(s.Mounts, bind(vol, "/vol", "rw"), tmpfs("/noexec", "noexec"))
			s.Hostname = "box"
		},
		causes: []cause{
			{target: "mount", inside: "mount -t tmpfs none /noexec", fails: "permission denied", want: why.Other, layer: why.LayerFilter},
			{target: "unshare 0x10000000", inside: "unshare -U true", fails: "unshare", want: why.Other, layer: why.LayerFilter},
			{target: "swapon", inside: "swapon /vol/fixed", fails: "swapon", want: why.Other, layer: why.LayerFilter, says: "denies it too"},
			{target: "init_module", inside: "insmod /vol/fixed", fails: "insmod", want: why.Other, layer: why.LayerFilter},
			{target: "chroot", inside: "chroot / /bin/sh -c true", fails: "not permitted", want: why.Hatchdog, says: "CAP_SYS_CHROOT"},
			{target: "/new --for write", inside: "echo x >/new", fails: "Read-only", want: why.Other, layer: why.LayerReadOnly},
			{target: "/vol/fixed --for write", inside: "echo x >/vol/fixed", fails: "ermi", want: why.Other, layer: why.LayerFile, says: "immutable"},
			{target: "/bin/setuid --for execute", inside: "/bin/setuid id -u | /bin/busybox grep -x 5", want: why.Other, layer: why.LayerRequest, says: "no_new_privs"},
			{target: "/bin/linked --for execute", inside: "/bin/linked", fails: "error while loading shared libraries", want: why.Other, layer: why.LayerImage, says: "libselinux"},
			{target: "/noexec/true --for execute", inside: "/bin/busybox cp /bin/busybox /noexec/true; /noexec/true", fails: "ermission denied", want: why.Other, layer: why.LayerRequest, says: "noexec"},
			{target: "/dev/sda", inside: "cat /dev/sda", fails: "No such file", want: why.Other, layer: why.LayerMissing},
		},
	}
}

// userBox runs as a user that is not root.
func userBox() box {
	return box{
		name:   "user",
		policy: "profile: restricted\n",
		files: func(t *testing.T, root, vol string) {
			put(t, root+"/secret", "x", 0o600, 0)
			put(t, root+"/closed/file", "x", 0o666, 0)
			must(t, os.Chmod(root+"/closed", 0o700))
			put(t, root+"/bin/su", read(t, "/bin/busybox"), 0o755|os.ModeSetuid, 0)
			put(t, vol+"/of-root", "x", 0o644, 0)
			put(t, vol+"/of-another", "x", 0o640, 1001)
		},
		edit: func(_ *testing.T, s *specs.Spec, vol string) {
			s.Process.User = specs.User{UID: 1000, GID: 1000}
			s.Process.NoNewPrivileges = false
			s.Mounts = append(s.Mounts, bind(vol, "/vol", "rw"))
		},
		causes: []cause{
			{target: "/secret", inside: "cat /secret", fails: "Permission denied", want: why.Other, layer: why.LayerPermissions, says: "mode 0600, owner 0:0"},
			{target: "/closed/file", inside: "cat /closed/file", fails: "Permission denied", want: why.Other, layer: why.LayerPermissions, says: "/closed: mode 0700"},
			{target: "/vol/of-root --for write", inside: "echo x >/vol/of-root", fails: "Permission denied", want: why.Other, layer: why.LayerPermissions, says: "the process is 1000:1000"},
			{target: "/vol/of-another", inside: "cat /vol/of-another", fails: "Permission denied", want: why.Other, layer: why.LayerPermissions, says: "1001:1001"},
			{target: "/vol/new --for write", inside: "echo x >/vol/new", fails: "Permission denied", want: why.Other, layer: why.LayerPermissions, says: "/vol: mode 0755"},
			{target: "/new --for write", inside: "echo x >/new", fails: "Permission denied", want: why.Other, layer: why.LayerPermissions},
			{target: "CAP_CHOWN", inside: "chown 5 /vol", fails: "not permitted", want: why.Other, layer: why.LayerUser},
			{target: "CAP_KILL", inside: "grep -q 0000000000000020 /proc/self/status", want: why.Other, layer: why.LayerUser},
			{target: "/bin/su --for execute", inside: "/bin/su id -u | /bin/busybox grep -x 0", want: why.Hatchdog, says: "privilege.noNewPrivileges"},
		},
	}
}

// untrustedBox has nothing but what untrusted leaves.
func untrustedBox() box {
	return box{
		name:   "untrusted",
		policy: "profile: untrusted\n",
		files: func(t *testing.T, root, vol string) {
			whyPrograms(t, root)
			put(t, root+"/of-five", "x", 0o600, 5)
			put(t, vol+"/hosts", "127.0.0.1 localhost\n", 0o644, 0)
		},
		edit: func(_ *testing.T, s *specs.Spec, vol string) {
			s.Mounts = append(s.Mounts, tmpfs("/tmp"), bind(vol+"/hosts", "/etc/hosts", "rw"))
		},
		causes: []cause{
			{target: "/new --for write", inside: "echo x >/new", fails: "Read-only", want: why.Hatchdog, says: "rootfs.readOnly", follow: true},
			{target: "/etc/hosts --for write", inside: "echo x >>/etc/hosts", fails: "Read-only", want: why.Hatchdog, says: "readOnlyAt", follow: true},
			{target: "/of-five", inside: "cat /of-five", fails: "Permission denied", want: why.Hatchdog, says: "CAP_DAC_OVERRIDE", follow: true},
			{target: "/tmp/tool --for execute", inside: "/bin/busybox cp /bin/busybox /tmp/tool; /tmp/tool true", fails: "ermission denied", want: why.Hatchdog, says: "noexec"},
			{target: "CAP_CHOWN", inside: "touch /tmp/f && chown 5 /tmp/f", fails: "not permitted", want: why.Hatchdog, says: "capabilities.max", follow: true},
			{target: "127.0.0.1:53/udp", inside: "nslookup -timeout=1 x 127.0.0.1", fails: "", want: why.Other, layer: why.LayerPort},
		},
	}
}

// limitBox has limits that its engine asked for.
func limitBox() box {
	pids, memory, quota, period := int64(8), int64(32<<20), int64(10000), uint64(100000)
	return box{
		name:   "limits",
		policy: "profile: restricted\n",
		files: func(t *testing.T, root, _ string) {
			for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				put(t, root+"/logs/"+name+name, "x", 0o644, 0)
			}
		},
		edit: func(_ *testing.T, s *specs.Spec, _ string) {
			s.Process.Args = []string{"/bin/sh", "-c", "exec tail -F $(for i in 1 2 3 4 5 6 7 8; do echo /logs/*; done)"}
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 40, Hard: 40}}
			s.Linux.Resources.Pids = &specs.LinuxPids{Limit: &pids}
			s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &memory, Swap: &memory}
			s.Linux.Resources.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
		},
		causes: []cause{
			{target: " = pause", inside: "timeout 1 sh -c 'while :; do :; done'", want: why.Other, layer: why.LayerLimit, says: "0.10 CPUs"},
			{target: " = live on", inside: "echo 1000 >/proc/self/oom_score_adj; head -c 64m /dev/zero | tail >/dev/null", want: why.Other, layer: why.LayerLimit, says: "32MiB"},
			{target: " = process", inside: "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait", fails: "fork", want: why.Other, layer: why.LayerLimit, says: "8 processes"},
			{target: " = file", inside: "", want: why.Other, layer: why.LayerLimit, says: "RLIMIT_NOFILE is 40"},
		},
	}
}

// ownLimitBox has limits of the policy's.
func ownLimitBox() box {
	return box{
		name:   "own-limits",
		policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, pids: {max: 8}, memory: {max: 32MiB}, cpu: {max: 0.1}}\n",
		edit:   func(*testing.T, *specs.Spec, string) {},
		causes: []cause{
			{target: " = pause", inside: "timeout 1 sh -c 'while :; do :; done'", want: why.Hatchdog, says: "cpu.max"},
			{target: " = live on", inside: "echo 1000 >/proc/self/oom_score_adj; head -c 64m /dev/zero | tail >/dev/null", want: why.Hatchdog, says: "memory.max"},
			{target: " = process", inside: "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait", fails: "fork", want: why.Hatchdog, says: "RLIMIT_NPROC"},
		},
	}
}

// wiredBox has a network.
func wiredBox() box {
	return box{
		name:   "wired",
		policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, egress: {deny: [inherited, \"" + privateAddr + "\", \"" + internetAddr + ":53/udp\"]}}\n",
		files: func(t *testing.T, root, _ string) {
			put(t, root+"/etc/resolv.conf", "nameserver "+internetAddr+"\n", 0o644, 0)
			put(t, root+"/etc/hosts", outsideAddr+" known.example\n", 0o644, 0)
		},
		edit: func(t *testing.T, s *specs.Spec, _ string) {
			startOutside(t)
			joinNetwork(s, bare(t, "hd-why"))
		},
		causes: []cause{
			{target: metadataAddr + ":80", inside: "nc -w1 " + metadataAddr + " 80 </dev/null", fails: "refused", want: why.Hatchdog, says: "the kernel dropped"},
			{target: " = " + metadataAddr, want: why.Hatchdog, says: "egress.deny"},
			{target: privateAddr + ":80", inside: "nc -w1 " + privateAddr + " 80 </dev/null", fails: "refused", want: why.Hatchdog, says: privateAddr},
			{target: "10.213.0.1:8080", inside: "nc -w1 10.213.0.1 8080 </dev/null", want: why.Hatchdog, says: "host"},
			{target: "any.example:80", inside: "timeout 2 nslookup any.example", want: why.Hatchdog, says: "the question to the resolver"},
			{target: outsideAddr + ":81 --try", inside: "nc -w1 " + outsideAddr + " 81 </dev/null", fails: "refused", want: why.Other, layer: why.LayerPort},
			{target: "known.example:81 --try", inside: "nc -w1 known.example 81 </dev/null", fails: "refused", want: why.Other, layer: why.LayerPort},
			{target: outsideAddr + ":80 --try", want: why.Undetermined, says: "a connection was opened"},
			{target: "198.51.100.77:80 --try", inside: "nc -w1 198.51.100.77 80 </dev/null", want: why.Other, layer: why.LayerRoute},
		},
	}
}
