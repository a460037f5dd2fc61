package decision

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	json "github.com/go-json-experiment/json/v1"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Record is what is kept of a container while it lives: how it was decided,
// and what exec and update are held to.
type Record struct {
	Decision Decision `json:"decision"`
	// Ceiling is the profile of create, held to the spec that runc got.
	Ceiling *policy.Profile `json:"ceiling"`
	Labels  Labels          `json:"labels"`
	Audit   policy.Audit    `json:"audit"`
	Cgroup  host.Cgroup     `json:"cgroup"`
	// Network says where the container's network rules are.
	Network plan.Network `json:"network"`
	// Prevent is what is denied it from its start on, and PreventBy what denies it.
	Prevent   []string      `json:"prevent,omitempty"`
	PreventBy policy.Holder `json:"preventBy,omitempty"`
	// IDs are the container's ids on the host, where it has a user namespace
	// that hatchdog gave it.
	IDs host.IDRange `json:"ids,omitzero"`
	// RootFS is where its root file system is on the host.
	RootFS string `json:"rootfs,omitempty"`
	// IDsDir is where it is kept that the container holds them.
	IDsDir string `json:"idsDir,omitempty"`
}

// Labels are the LSM labels of the container; exec keeps them.
type Labels struct {
	Apparmor string `json:"apparmor,omitempty"`
	SELinux  string `json:"selinux,omitempty"`
}

// Commit writes the record, the spec as it came and the link to the low-level
// runtime. original may be nil when the container has one already.
func (c *Claim) Commit(r *Record, original []byte) error {
	bounded := *r
	bounded.Decision = *r.Decision.Bounded(maxRecorded)
	data, err := json.Marshal(&bounded)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if original != nil {
		if err := writeFile(c.dir, originalFile, original); err != nil {
			return err
		}
	}
	if err := writeLink(c.dir, runtimeLink, r.Decision.Runtime.Path); err != nil {
		return err
	}
	if r.IDsDir != "" {
		if err := writeLink(c.dir, idsLink, r.IDsDir); err != nil {
			return err
		}
	}
	if r.Network.Kind == plan.NetworkStart || r.Network.Kind == plan.NetworkJoined && r.Ceiling != nil && r.Ceiling.NetworkRules().Named() {
		if err := writeLink(c.dir, startLink, "network"); err != nil {
			return err
		}
	}
	if len(r.Prevent) > 0 {
		if err := writeLink(c.dir, preventLink, string(r.PreventBy)+":"+strings.Join(r.Prevent, ",")); err != nil {
			return err
		}
	}
	// Last: a directory with a record is complete.
	return writeFile(c.dir, recordFile, data)
}

// writeFile replaces name in dir as a whole. The state directory is a tmpfs:
// nothing outlives the machine's crash, so there is no fsync.
func writeFile(dir, name string, data []byte) error {
	tmp := filepath.Join(dir, "."+name)
	_ = os.Remove(tmp) // of a create that was killed; O_EXCL finds what stays
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

func writeLink(dir, name, target string) error {
	tmp := filepath.Join(dir, "."+name)
	_ = os.Remove(tmp)
	if err := os.Symlink(target, tmp); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
