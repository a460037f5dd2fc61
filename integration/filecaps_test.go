package integration

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// capable gives a file capabilities with the effective bit, as the images of
// caddy, coredns and vault have them (VFS_CAP_REVISION_2, capability.h).
func capable(t *testing.T, file string, permitted uint32) {
	t.Helper()
	var raw []byte
	for _, word := range []uint32{0x02000001, permitted, 0, 0, 0} {
		raw = binary.LittleEndian.AppendUint32(raw, word)
	}
	must(t, unix.Setxattr(file, "security.capability", raw, 0))
}

// A program whose file has a capability that the container may not have starts,
// without it, at create and at exec; what is setuid gives nothing.
func TestFileCapabilities(t *testing.T) {
	const netBindService = 1 << 10
	dir := openDir(t)
	for _, profile := range []string{"restricted", "untrusted"} {
		for _, mode := range []string{"auto", "off"} {
			for _, user := range []uint32{0, 1000} {
				for _, readonly := range []bool{false, true} {
					policyFile(t, dir, "profile: p\nprofiles: {p: {extends: builtin/"+profile+", userns: {mode: "+mode+"}}}\n")
					bundle := bundleOf(t, []string{"serve=:7000"}, func(s *specs.Spec) {
						s.Process.User = specs.User{UID: user, GID: user}
						s.Root.Readonly = readonly
					})
					capable(t, bundle+"/rootfs/bin/reach", netBindService)
					must(t, os.Chmod(bundle+"/rootfs/bin/sh", 0o4755))
					name := strings.Join([]string{profile, mode, map[bool]string{true: "root", false: "user"}[user == 0], map[bool]string{true: "ro", false: "rw"}[readonly]}, " ")
					if mode == "off" && (readonly || profile == "untrusted") {
						continue // runc clears nosuid; docs/threat-model.md says so
					}
					h := createBundle(t, dir, "caps", bundle)
					if out, code := h.hatchdog(t, "start", h.id); code != 0 {
						t.Errorf("%s: it does not start: %s", name, out)
						continue
					}
					out, code := h.hatchdog(t, "exec", h.id, "/bin/reach", "true")
					if code != 0 && strings.Contains(out, "operation not permitted") {
						t.Errorf("%s: exec: %s", name, out)
					}
					status, _ := h.hatchdog(t, "exec", "--user", "1000", h.id, "/bin/sh", "-c", "while read l; do case $l in Cap*|Uid*) echo $l;; esac; done </proc/self/status")
					wantLines(t, status, "CapEff: 0000000000000000")
					if !strings.Contains(status, "Uid: 1000 1000 1000 1000") {
						t.Errorf("%s: a setuid program gave its user: %s", name, status)
					}
					explained, _ := h.engines(t, tested.hatchctl, "explain", h.id)
					wantLines(t, explained, "mounted nosuid")
					h.hatchdog(t, "delete", "--force", h.id)
				}
			}
		}
	}
}
