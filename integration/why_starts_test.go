package integration

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/why"
)

// i386Program is a static program that ends well.
func i386Program() string {
	const base, code = 0x08048000, 52 + 32
	text := []byte{0xb8, 1, 0, 0, 0, 0xbb, 0, 0, 0, 0, 0xcd, 0x80} // exit(0)
	b := []byte("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	half := func(n uint16) { b = binary.LittleEndian.AppendUint16(b, n) }
	word := func(n uint32) { b = binary.LittleEndian.AppendUint32(b, n) }
	half(2) // ET_EXEC
	half(3) // EM_386
	for _, n := range []uint32{1, base + code, 52, 0, 0} {
		word(n)
	}
	for _, n := range []uint16{52, 32, 1, 0, 0, 0} {
		half(n)
	}
	size := uint32(code + len(text)) //nolint:gosec // it is short
	for _, n := range []uint32{1, 0, base, base, size, size, 5, 0x1000} {
		word(n)
	}
	return string(append(b, text...))
}

// startBox has programs that do not start, and file systems that are full.
func startBox() box {
	return box{
		name:   "starts",
		policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, privilege: {noNewPrivileges: false}, sysctls: {allow: [net.ipv6.conf.all.disable_ipv6]}}\n",
		files: func(t *testing.T, root, vol string) {
			busybox := read(t, "/bin/busybox")
			for dir, caps := range map[string]string{"net": "cap_net_raw+ep", "admin": "cap_sys_admin+ep", "may": "cap_net_raw+p"} {
				put(t, root+"/"+dir+"/true", busybox, 0o755, 0)
				mustRun(t, "setcap", caps, root+"/"+dir+"/true")
			}
			must(t, os.Symlink("busybox", root+"/bin/env"))
			put(t, root+"/x86", i386Program(), 0o755, 0)
			put(t, root+"/dos", "#!/bin/sh\r\ntrue\n", 0o755, 0)
			put(t, root+"/env", "#!/bin/env nopython\n", 0o755, 0)
			put(t, root+"/through", "#!/noexec/sh\ntrue\n", 0o755, 0)
			put(t, root+"/near", "#!bin/sh\ntrue\n", 0o755, 0)
			put(t, vol+"/admin/true", busybox, 0o755, 0)
			mustRun(t, "setcap", "cap_sys_admin+ep", vol+"/admin/true")
		},
		edit: func(_ *testing.T, s *specs.Spec, vol string) {
			s.Process.NoNewPrivileges = false
			s.Linux.Sysctl = map[string]string{"net.ipv6.conf.all.disable_ipv6": "1"}
			s.Mounts = append(s.Mounts, bind(vol, "/vol", "rw", "nosuid"), tmpfs("/noexec", "noexec"), tmpfs("/few", "nr_inodes=3"), tmpfs("/small", "size=64k"))
		},
		causes: []cause{
			{target: "/net/true --for execute", inside: "/net/true", fails: "not permitted", want: why.Hatchdog, says: "CAP_NET_RAW (setcap)", follow: true},
			{target: "/admin/true --for execute", inside: "/admin/true", fails: "not permitted", want: why.Other, layer: why.LayerRequest, says: "CAP_SYS_ADMIN (setcap)"},
			{target: "/may/true --for execute", want: why.Undetermined},       // it starts
			{target: "/vol/admin/true --for execute", want: why.Undetermined}, // nosuid: it starts
			{target: "/x86 --for execute", inside: "/x86", want: why.Hatchdog, says: "seccomp.architectures", follow: true},
			{target: "/dos --for execute", inside: "/dos", fails: "not found", want: why.Other, layer: why.LayerImage, says: "carriage return"},
			{target: "/env --for execute", inside: "/env", fails: "nopython", want: why.Other, layer: why.LayerImage, says: "PATH"},
			{target: "/through --for execute", inside: "cp /bin/busybox /noexec/sh; /through", fails: "ermission denied", want: why.Other, layer: why.LayerRequest, says: "its interpreter /noexec/sh"},
			{target: "/near --for execute", want: why.Undetermined}, // it starts where / is the working directory
			{target: "/few/new --for write", inside: "/bin/busybox touch /few/a /few/b /few/c", fails: "No space", want: why.Other, layer: why.LayerDisk},
			{target: "/few/a --for write", want: why.Undetermined}, // what is there wants no inode
			{target: "/small/new --for write", inside: "dd if=/dev/zero of=/small/x bs=1k count=128", fails: "No space", want: why.Other, layer: why.LayerDisk},
			{target: "/" + strings.Repeat("n", 256), inside: "cat /" + strings.Repeat("n", 256), fails: "too long", want: why.Other, layer: why.LayerFile, says: "longer"},
			{target: "[::1]:80", inside: "nc -w1 ::1 80 </dev/null", fails: "Cannot assign", want: why.Other, layer: why.LayerRoute},
		},
	}
}

// asRootBox is asked about root, and runs as another.
func asRootBox() box {
	return box{
		name:   "as-root",
		policy: "profile: restricted\n",
		files: func(t *testing.T, root, _ string) {
			put(t, root+"/of-root", "x", 0o600, 0)
			put(t, root+"/of-five", "x", 0o600, 5)
		},
		edit: func(_ *testing.T, s *specs.Spec, _ string) { s.Process.User = specs.User{UID: 1000, GID: 1000} },
		causes: []cause{
			{target: "/of-root", inside: "cat /of-root", fails: "denied", want: why.Other, layer: why.LayerPermissions},
			{target: "/of-root --user 0", want: why.Undetermined}, // root may
			{target: "/of-five --user 0", want: why.Hatchdog, says: "CAP_DAC_OVERRIDE"},
			{target: "CAP_CHOWN --user 0", want: why.Hatchdog, says: "capabilities.nonRoot"},
			{target: "CAP_CHOWN", inside: "chown 5 /of-root", fails: "not permitted", want: why.Other, layer: why.LayerUser},
		},
	}
}

// unevenBox has a limit of memory that is no whole number of pages.
func unevenBox() box {
	memory := int64(33000001)
	return box{
		name:   "uneven",
		policy: "profile: restricted\n",
		edit: func(_ *testing.T, s *specs.Spec, _ string) {
			s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &memory, Swap: &memory}
		},
		causes: []cause{{target: " = live on", inside: "head -c 64m /dev/zero | tail >/dev/null", want: why.Other, layer: why.LayerLimit, says: "as the engine asked"}},
	}
}

// hostNetworkBox has no network of its own.
func hostNetworkBox() box {
	return box{
		name:   "host-network",
		policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, namespaces: {host: [network]}, egress: {default: allow, allow: [], deny: []}}\n",
		edit: func(_ *testing.T, s *specs.Spec, _ string) {
			var own []specs.LinuxNamespace
			for _, ns := range s.Linux.Namespaces {
				if ns.Type != specs.NetworkNamespace {
					own = append(own, ns)
				}
			}
			s.Linux.Namespaces = own
		},
		causes: []cause{
			{target: "/nothing", inside: "cat /nothing", fails: "No such file", want: why.Other, layer: why.LayerMissing},
			{target: "127.0.0.1:9", inside: "nc -w1 127.0.0.1 9 </dev/null", fails: "refused", want: why.Other, layer: why.LayerPort},
			{target: "chroot", inside: "chroot / /bin/sh -c true", fails: "not permitted", want: why.Hatchdog, says: "CAP_SYS_CHROOT"},
		},
	}
}

func TestWhyOfWhatDoesNotStart(t *testing.T) {
	for _, b := range []box{startBox(), asRootBox(), unevenBox(), hostNetworkBox()} {
		t.Run(b.name, b.run)
	}
}
