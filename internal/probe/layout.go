package probe

import "github.com/cilium/ebpf/btf"

// layout is where the kernel keeps what the programs of Watch read, in bytes. What
// this kernel has not got is -1.
type layout struct {
	levels [3]offsets

	taskCred, taskProxy, taskFS, taskFiles, taskFlags, taskParent, taskGroup, taskName             int32
	proxyMount, mountSpace, credUser, userSpace, credUID, credEUID, inum, taskThread, threadStatus int32
	fsRoot, pathMount, pathDentry, dentryInode, dentryName, dentryUp                               int32
	binaryFile, binaryName, binaryInterp, fileInode, filePath                                      int32
	inodeSuper, inodeNumber, inodeLinks, inodeMode, inodeCtime, ctimeN                             int32
	superDev, superMagic, overlayInode, overlayUpper, mountOfVFS, mntID                            int32
	filesTable, tableFiles                                                                         int32
}

func findLayout() (*layout, error) {
	l := &layout{}
	for i := range l.levels {
		o, err := findOffsets(i + 1)
		if err != nil {
			return nil, err
		}
		l.levels[i] = o
	}
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, err
	}
	if err := l.members(spec); err != nil {
		return nil, err
	}
	name, err := member(spec, "qstr", "name")
	if err != nil {
		return nil, err
	}
	l.dentryName += name
	l.ctime(spec)
	l.overlay(spec)
	return l, nil
}

// members are those that each kernel has.
func (l *layout) members(spec *btf.Spec) error {
	for _, f := range []struct {
		in, member string
		into       *int32
	}{
		{"task_struct", "real_cred", &l.taskCred},
		{"task_struct", "nsproxy", &l.taskProxy},
		{"task_struct", "fs", &l.taskFS},
		{"task_struct", "files", &l.taskFiles},
		{"task_struct", "flags", &l.taskFlags},
		{"task_struct", "real_parent", &l.taskParent},
		{"task_struct", "tgid", &l.taskGroup},
		{"task_struct", "comm", &l.taskName},
		{"task_struct", "thread_info", &l.taskThread},
		{"thread_info", "status", &l.threadStatus},
		{"nsproxy", "mnt_ns", &l.proxyMount},
		{"mnt_namespace", "ns", &l.mountSpace},
		{"cred", "user_ns", &l.credUser},
		{"user_namespace", "ns", &l.userSpace},
		{"cred", "uid", &l.credUID},
		{"cred", "euid", &l.credEUID},
		{"ns_common", "inum", &l.inum},
		{"fs_struct", "root", &l.fsRoot},
		{"path", "mnt", &l.pathMount},
		{"path", "dentry", &l.pathDentry},
		{"dentry", "d_inode", &l.dentryInode},
		{"dentry", "d_name", &l.dentryName},
		{"dentry", "d_parent", &l.dentryUp},
		{"linux_binprm", "file", &l.binaryFile},
		{"linux_binprm", "filename", &l.binaryName},
		{"linux_binprm", "interp", &l.binaryInterp},
		{"file", "f_inode", &l.fileInode},
		{"file", "f_path", &l.filePath},
		{"inode", "i_sb", &l.inodeSuper},
		{"inode", "i_ino", &l.inodeNumber},
		{"inode", "i_nlink", &l.inodeLinks},
		{"inode", "i_mode", &l.inodeMode},
		{"super_block", "s_dev", &l.superDev},
		{"super_block", "s_magic", &l.superMagic},
		{"mount", "mnt", &l.mountOfVFS},
		{"mount", "mnt_id", &l.mntID},
		{"files_struct", "fdt", &l.filesTable},
		{"fdtable", "fd", &l.tableFiles},
	} {
		at, err := member(spec, f.in, f.member)
		if err != nil {
			return err
		}
		*f.into = at
	}
	return nil
}

// ctime has three forms: two words since 6.11, __i_ctime since 6.6, i_ctime before.
func (l *layout) ctime(spec *btf.Spec) {
	const nanoseconds = 8 // of a timespec64
	l.inodeCtime, l.ctimeN = -1, -1
	if at, err := member(spec, "inode", "i_ctime_sec"); err == nil {
		if n, err := member(spec, "inode", "i_ctime_nsec"); err == nil {
			l.inodeCtime, l.ctimeN = at, n
			return
		}
	}
	for _, name := range []string{"__i_ctime", "i_ctime"} {
		if at, err := member(spec, "inode", name); err == nil {
			l.inodeCtime, l.ctimeN = at, at+nanoseconds
			return
		}
	}
}

// overlay may be a module of its own, or not loaded.
func (l *layout) overlay(spec *btf.Spec) {
	l.overlayInode, l.overlayUpper = -1, -1
	for _, from := range []func() (*btf.Spec, error){
		func() (*btf.Spec, error) { return spec, nil },
		func() (*btf.Spec, error) { return btf.LoadKernelModuleSpec("overlay") },
	} {
		s, err := from()
		if err != nil {
			continue
		}
		in, err := member(s, "ovl_inode", "vfs_inode")
		if err != nil {
			continue
		}
		if up, err := member(s, "ovl_inode", "__upperdentry"); err == nil {
			l.overlayInode, l.overlayUpper = in, up
			return
		}
	}
}
