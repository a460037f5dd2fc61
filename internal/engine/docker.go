package engine

import (
	"path"
	"path/filepath"
	"strings"
)

// docker is dockerd. Its layout, from 17.06 to 29:
//
//	DATA-ROOT/containers/ID/{hosts,hostname,resolv.conf,config.v2.json,mounts/}
//	DATA-ROOT/{overlay2,fuse-overlayfs}/LAYER/merged  graph drivers
//	DATA-ROOT/{vfs/dir,btrfs/subvolumes,zfs/graph}/LAYER
//	DATA-ROOT/rootfs/SNAPSHOTTER/ID                   containerd's image store, 29 on
//	DATA-ROOT/UID.GID/...                             all of it, with userns-remap
//	DATA-ROOT/tmp/safe-mountN                         a volume's sub-path, 26 on
//	DATA-ROOT/volumes/NAME/_data
type docker struct{}

var _ Engine = docker{}

func (docker) Name() string { return DockerName }

// Made: "moby" is dockerd's namespace in containerd.
func (docker) Made(a Asker) bool { return taskNamespace(a.Bundle) == "moby" }

func (docker) Pod(Asker) Pod { return Pod{} }

// layers are where graph drivers and the image store keep root file systems.
func layers() []string {
	return []string{"/overlay2/", "/fuse-overlayfs/", "/btrfs/subvolumes/", "/vfs/dir/", "/zfs/graph/", "/rootfs/"}
}

// remapped reports whether a name, UID.GID, is that of the directory of a user
// namespace of the daemon's.
func remapped(name string) bool {
	uid, gid, ok := strings.Cut(name, ".")
	number := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return ok && number(uid) && number(gid)
}

func (docker) Dirs(a Asker) []Dir {
	roots := sourcesBelow(a.Spec, "/containers/"+a.ID+"/")
	if r := a.Spec.Root; r != nil && filepath.IsAbs(r.Path) {
		for _, marker := range layers() {
			root, rest, found := strings.Cut(path.Clean(r.Path), marker)
			if found && root != "" && (marker != "/rootfs/" || strings.HasSuffix(rest, "/"+a.ID)) {
				roots = append(roots, root)
				break
			}
		}
	}
	var all []Dir
	for _, root := range roots {
		if remapped(path.Base(root)) {
			all = append(all, Dir{"/var/lib/docker", path.Dir(root)})
		}
		all = append(all, Dir{"/var/lib/docker", root})
	}
	return all
}

// dockerFileOf is the container that a file of dockerd's belongs to: those that
// another container gets with --network, --ipc and --uts container:ID.
func dockerFileOf(source string) string {
	for _, file := range []string{"hosts", "hostname", "resolv.conf", "mounts/shm"} {
		if id := between(source, "/containers/", file); id != "" {
			return id
		}
	}
	return ""
}
