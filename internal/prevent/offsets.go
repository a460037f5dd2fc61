package prevent

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/hatchdog/hatchdog/internal/kerneltypes"
)

// offsets are where the kernel keeps what the programs read, in bytes.
type offsets struct {
	taskPid, taskGroups            int32
	pidLevel, pidNumbers, upidSize int32 // pidNumbers: of the namespace of level 0
	nsInode                        int32
	groupsDefault                  int32
	cgroupNode, cgroupLevel        int32
	cgroupAncestors                int32
	ancestorsAreIDs                bool // before 6.1
	nodeID                         int32
	bprmFile, areaFile             int32
	fileMount, fileEntry           int32
	mountFlags, entryInode         int32
	inodeSuper, superMagic         int32
	superFlags, superDevice        int32
	changed, changedNanos          int32 // of an inode
	overlayUpper                   int32 // from the inode
}

// findOffsets asks the kernel's own types (BTF).
func findOffsets() (offsets, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return offsets{}, fmt.Errorf("the kernel's types: %w", err)
	}
	overlay, err := btf.LoadKernelModuleSpec("overlay")
	if err != nil {
		overlay = kernel // it is built in, or not there
	}
	var o offsets
	t := types{spec: kernel}
	o.taskPid, o.taskGroups = t.member("task_struct", "thread_pid"), t.member("task_struct", "cgroups")
	o.pidLevel, o.upidSize = t.member("pid", "level"), t.size("upid")
	o.pidNumbers = t.member("pid", "numbers") + t.member("upid", "ns")
	o.nsInode = t.member("pid_namespace", "ns") + t.member("ns_common", "inum")
	o.groupsDefault = t.member("css_set", "dfl_cgrp")
	o.cgroupNode, o.cgroupLevel, o.nodeID = t.member("cgroup", "kn"), t.member("cgroup", "level"), t.member("kernfs_node", "id")
	o.cgroupAncestors, o.ancestorsAreIDs = t.either("cgroup", "ancestors", "ancestor_ids")
	o.bprmFile, o.areaFile = t.member("linux_binprm", "file"), t.member("vm_area_struct", "vm_file")
	path := t.member("file", "f_path")
	o.fileMount, o.fileEntry = path+t.member("path", "mnt"), path+t.member("path", "dentry")
	o.mountFlags, o.entryInode = t.member("vfsmount", "mnt_flags"), t.member("dentry", "d_inode")
	o.inodeSuper, o.superMagic, o.superFlags = t.member("inode", "i_sb"), t.member("super_block", "s_magic"), t.member("super_block", "s_flags")
	o.superDevice = t.member("super_block", "s_dev")
	o.changed, o.changedNanos = t.changed()
	u := types{spec: overlay}
	o.overlayUpper = u.member("ovl_inode", "__upperdentry") - u.member("ovl_inode", "vfs_inode")
	return o, errors.Join(t.err, u.err)
}

// ancestorID makes an id of what stands among a control group's ancestors, in R0.
func (o offsets) ancestorID() asm.Instructions {
	if o.ancestorsAreIDs {
		return nil
	}
	return join(into(asm.R8), get(asm.R8, o.cgroupNode, asm.DWord), into(asm.R8), get(asm.R8, o.nodeID, asm.DWord))
}

// types reads a kernel's types. The first error is kept.
type types struct {
	spec *btf.Spec
	err  error
}

func (t *types) structOf(name string) *btf.Struct {
	var s *btf.Struct
	if err := t.spec.TypeByName(name, &s); err != nil {
		t.err = errors.Join(t.err, fmt.Errorf("the kernel's types: %s: %w", name, err))
		return &btf.Struct{}
	}
	return s
}

func (t *types) size(name string) int32 { return int32(t.structOf(name).Size) } //nolint:gosec // small

func (t *types) member(in, name string) int32 {
	at, ok := kerneltypes.Member(t.structOf(in).Members, name)
	if !ok {
		t.err = errors.Join(t.err, fmt.Errorf("the kernel's types: %s has no %s", in, name))
	}
	return at
}

// changed is where an inode keeps when it was changed: two words since 6.11, __i_ctime
// since 6.6, i_ctime before.
func (t *types) changed() (seconds, nanos int32) {
	inode := t.structOf("inode").Members
	if at, ok := kerneltypes.Member(inode, "i_ctime_sec"); ok {
		return at, t.member("inode", "i_ctime_nsec")
	}
	at, _ := t.either("inode", "__i_ctime", "i_ctime")
	return at, at + t.member("timespec64", "tv_nsec")
}

// either is the place of the first of two names, or of the second.
func (t *types) either(in, first, second string) (at int32, isSecond bool) {
	if at, ok := kerneltypes.Member(t.structOf(in).Members, first); ok {
		return at, false
	}
	return t.member(in, second), true
}
