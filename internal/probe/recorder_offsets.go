package probe

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// recorderOffsets are where the kernel keeps what a Recorder reads, in bytes.
type recorderOffsets struct {
	pid, level, namespace, inode, reaper, started int32
	files, table, entries                         int32
	fileInode, mode, device, super, superDevice   int32
	fs, pwd, dentrySuper                          int32
	private, socketType                           int32
	filename, credentials, status                 int32
}

// findRecorderOffsets asks the kernel's own types (BTF).
func findRecorderOffsets() (recorderOffsets, error) {
	var o recorderOffsets
	first, err := findOffsets(1) // the first namespace below the host's
	if err != nil {
		return o, err
	}
	o.pid, o.level, o.namespace, o.inode = first.pid, first.level, first.numbers, first.inode
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return o, fmt.Errorf("the kernel's types: %w", err)
	}
	var dentry, thread int32
	for _, f := range []struct {
		in, member string
		into       *int32
	}{
		{"pid_namespace", "child_reaper", &o.reaper},
		{"task_struct", "start_boottime", &o.started},
		{"task_struct", "files", &o.files},
		{"files_struct", "fdt", &o.table},
		{"fdtable", "fd", &o.entries},
		{"file", "f_inode", &o.fileInode},
		{"inode", "i_mode", &o.mode},
		{"inode", "i_rdev", &o.device},
		{"inode", "i_sb", &o.super},
		{"super_block", "s_dev", &o.superDevice},
		{"task_struct", "thread_info", &thread},
		{"thread_info", "status", &o.status},
		{"task_struct", "fs", &o.fs},
		{"fs_struct", "pwd", &o.pwd},
		{"path", "dentry", &dentry},
		{"dentry", "d_sb", &o.dentrySuper},
		{"file", "private_data", &o.private},
		{"socket", "type", &o.socketType},
		{"linux_binprm", "filename", &o.filename},
		{"task_struct", "real_cred", &o.credentials},
	} {
		if *f.into, err = member(spec, f.in, f.member); err != nil {
			return o, err
		}
	}
	o.status += thread
	o.pwd += dentry
	return o, nil
}
