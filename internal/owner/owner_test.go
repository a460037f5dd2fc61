package owner

import (
	"os"
	"syscall"
	"testing"

	"github.com/hatchdog/hatchdog/internal/retest"
)

func TestTrusted(t *testing.T) {
	us := uint32(os.Geteuid())
	for path, want := range map[string]bool{"/usr/bin/runc": false, "/home/x": false} {
		if got := Trusted(path, 65534); got != want {
			t.Errorf("nobody's %s: %v", path, got)
		}
	}
	if !Trusted("/home/x", 0) || !Trusted("/home/x", us) || Trusted("/etc", us+1) {
		t.Error("root's and ours are trusted, another's is not")
	}
	if User() != int(us) {
		t.Errorf("we are %d", User())
	}
}

// In a user namespace without the host's root, nobody's counts where all is root's.
func TestTrustedInAUserNamespace(t *testing.T) {
	attr := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 54321, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65536}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 54321, Size: 1}},
		Credential:  &syscall.Credential{},
	}
	if !retest.Run(t, attr, "map another user") {
		return
	}
	for path, want := range map[string]bool{
		"/": true, "/usr/bin/runc": true, "/etc/hatchdog/policy.yaml": true, "/home": true, "/run/user": true,
		"/home/other": false, "/srv/data": false, "/tmp/x": false, "/usrx": false, "/etc/../home/x": false, "/var/lib/other": false,
	} {
		if got := Trusted(path, 65534); got != want {
			t.Errorf("nobody's %s: %v", path, got)
		}
	}
	if Trusted("/etc", 1000) || !Trusted("/home/x", 0) {
		t.Error("an owner with an id is who it is")
	}
	if User() != 54321 {
		t.Errorf("we are %d", User())
	}
}
