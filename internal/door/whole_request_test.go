package door

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// played is a request with its host. W in a text is where the host is.
type played struct {
	policy  int
	bundle  string
	config  []byte
	links   []link
	mounts  []mount
	changes []change
}

type link struct{ at, target string }

// mount is a bind mount, or a new file system where from is "".
type mount struct{ at, from string }

// change is something that somebody does between two steps.
type change struct {
	step, what string
	at, to     string
}

func (q *played) String() string {
	return fmt.Sprintf("policy %d\nbundle %s\nlinks %v\nmounts %v\nchanges %v\nconfig %s", q.policy, q.bundle, q.links, q.mounts, q.changes, q.config)
}

// places are names that a request may use.
func places() []string {
	var all []string
	for _, d := range dirs[:18] {
		all = append(all, d.path, d.path+"/f")
	}
	return append(all, "host/open/fifo", "host/open/sock", "host/open/disk", "host/open/null", "host/programs/hook",
		"users/u/l", "users/u/d/l", "host/open/l", "bundle/l", "users/l", "")
}

// drawPath is a path as somebody writes it who wants to get somewhere else than
// it looks like.
func drawPath(r *rapid.T) string {
	if rapid.Bool().Draw(r, "harmless") {
		return "W/" + rapid.SampledFrom([]string{"users/u/d", "users/u/d/e", "users/u/f", "users/u/d/f", "users/u/l", "host/open/f", "bundle/rootfs"}).Draw(r, "place")
	}
	at := rapid.SampledFrom(places()).Draw(r, "place")
	switch rapid.IntRange(0, 7).Draw(r, "spelling") {
	case 0:
		return "../" + at
	case 1:
		return "W/users/u/l/../" + rapid.SampledFrom([]string{"f", "d", "secret", "programs", "open", "lent"}).Draw(r, "beside")
	case 2:
		return "/proc/self/cwd/" + strings.Repeat("../", 12) + "W/" + at
	case 3:
		return "W//./" + at + "/."
	case 4:
		return rapid.SampledFrom([]string{"rootfs", "l", "../users/u/l", "l/../secret", "/", "/etc", "/proc/self/ns", ""}).Draw(r, "other")
	}
	return "W/" + at
}

var linkPlaces = []string{"users/u/l", "users/u/d/l", "host/open/l", "bundle/l", "users/l", "bundle/rootfs/l"}

func drawRequest(r *rapid.T) *played {
	q := &played{
		policy: rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(r, "policy"),
		bundle: rapid.SampledFrom([]string{"W/bundle", "W/bundle", "W/users/box", "W/users/u/l", "W/bundle/../users/box"}).Draw(r, "bundle"),
	}
	for range rapid.IntRange(0, 3).Draw(r, "links") {
		q.links = append(q.links, link{rapid.SampledFrom(linkPlaces).Draw(r, "link"), drawPath(r)})
	}
	for range rapid.IntRange(0, 2).Draw(r, "mounts") {
		m := mount{at: rapid.SampledFrom(mountable()).Draw(r, "at")}
		if rapid.Bool().Draw(r, "bind") {
			m.from = rapid.SampledFrom(directories()).Draw(r, "from")
		}
		q.mounts = append(q.mounts, m)
	}
	spec := drawConfig(r)
	var err error
	if q.config, err = json.Marshal(spec); err != nil {
		panic(err)
	}
	for range rapid.IntRange(0, 3).Draw(r, "changes") {
		q.changes = append(q.changes, drawChange(r, q.aims(spec)))
	}
	return q
}

func directories() []string {
	var all []string
	for _, d := range dirs[:18] {
		all = append(all, d.path)
	}
	return all
}

// mountable are where somebody may have mounted something: not in what the policy
// opens, which would open it too.
func mountable() []string {
	return slices.DeleteFunc(directories(), func(dir string) bool { return strings.HasPrefix(dir, "host/secret/lent") })
}

func drawConfig(r *rapid.T) *specs.Spec {
	s := &specs.Spec{
		Version: "1.2.0",
		Process: &specs.Process{Args: []string{"/bin/true"}, Cwd: "/", User: specs.User{UID: uint32(rapid.SampledFrom([]int{0, 0, 1000, 70000}).Draw(r, "uid"))}},
		Root:    &specs.Root{Path: "rootfs", Readonly: rapid.Bool().Draw(r, "readonly")},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: "pid"}, {Type: "mount"}, {Type: "ipc"}, {Type: "uts"}, {Type: "network"},
		}},
	}
	if rapid.IntRange(0, 2).Draw(r, "elsewhere") == 0 {
		s.Root.Path = drawPath(r)
	}
	s.Mounts = append(s.Mounts, specs.Mount{Destination: "/proc", Type: "proc", Source: "proc"})
	for range rapid.IntRange(0, 3).Draw(r, "binds") {
		s.Mounts = append(s.Mounts, drawMount(r))
	}
	if rapid.IntRange(0, 3).Draw(r, "hook") == 0 {
		h := []specs.Hook{{Path: "W/" + rapid.SampledFrom(places()).Draw(r, "program")}}
		if rapid.Bool().Draw(r, "listed") {
			h[0].Path = "W/host/programs/hook"
		}
		s.Hooks = &specs.Hooks{}
		switch rapid.IntRange(0, 2).Draw(r, "stage") {
		case 0:
			s.Hooks.CreateRuntime = h
		case 1:
			s.Hooks.Poststop = h
		default:
			s.Hooks.CreateContainer = h
		}
	}
	if rapid.IntRange(0, 5).Draw(r, "joins") == 0 {
		i := rapid.IntRange(0, 4).Draw(r, "namespace")
		s.Linux.Namespaces[i].Path = rapid.SampledFrom([]string{"/proc/1/ns/net", "/proc/self/ns/ipc", "/proc/self/ns/mnt", "W/users/u/l", "W/host/open/f"}).Draw(r, "path")
	}
	if rapid.IntRange(0, 7).Draw(r, "groups") == 0 {
		s.Process.User.AdditionalGids = []uint32{rapid.SampledFrom([]uint32{5, 65535, 70000, 4294967294}).Draw(r, "gid")}
	}
	return s
}

func drawMount(r *rapid.T) specs.Mount {
	m := specs.Mount{
		Type:        "bind",
		Destination: rapid.SampledFrom([]string{"/a", "/b", "/a/c", "/etc/hosts", "/bin"}).Draw(r, "destination"),
		Source:      drawPath(r),
		Options:     []string{rapid.SampledFrom([]string{"bind", "rbind"}).Draw(r, "kind")},
	}
	for range rapid.IntRange(0, 2).Draw(r, "options") {
		m.Options = append(m.Options, rapid.SampledFrom([]string{"ro", "rw", "rro", "rrw", "nosuid", "rslave", "private", "noexec", "dev", "shared"}).Draw(r, "option"))
	}
	return m
}

// steps are those of a create; "" is before it looks at anything.
var steps = []string{"", "setaside", "judged", "carrier", "detached", "entered", "pinned", "mounted", "acquired", "audited", "kept", "written"}

// aims are what somebody can change on the way to what a request names.
func (q *played) aims(spec *specs.Spec) []string {
	all := []string{"users/u", "users/u/d", "users/u/d/e", "users/u/l", "users/u/d/l", "users/u/f", "users/box", "users/box/rootfs", "users/box/config.json", "users/l"}
	names := []string{q.bundle, spec.Root.Path}
	for _, m := range spec.Mounts {
		names = append(names, m.Source)
	}
	for _, name := range names {
		for at, ok := strings.CutPrefix(name, "W/"); ok && strings.HasPrefix(at, "users/"); at = path.Dir(at) {
			all = append(all, at, at, at)
		}
	}
	return all
}

// drawChange is what a user can do in directories that are theirs.
func drawChange(r *rapid.T, aims []string) change {
	return change{
		step: rapid.SampledFrom(steps).Draw(r, "step"),
		what: rapid.SampledFrom([]string{"link", "link", "link", "link", "move", "remove", "write", "chmod"}).Draw(r, "what"),
		at:   rapid.SampledFrom(aims).Draw(r, "at"),
		to:   drawTarget(r),
	}
}

// drawTarget is mostly what nobody may reach.
func drawTarget(r *rapid.T) string {
	if rapid.IntRange(0, 3).Draw(r, "target") == 0 {
		return drawPath(r)
	}
	return rapid.SampledFrom([]string{"W/host/secret", "W/host/secret/f", "W/host/secret/deep", "W/host/programs", "W/host/programs/f", "../../host/secret", "W/host"}).Draw(r, "to")
}

// change does what is due at a step, as somebody. It tells whether anything was.
func (q *played) change(h *stand, step string) bool {
	done := false
	for _, c := range q.changes {
		if c.step != step {
			continue
		}
		at, to := h.at+"/"+c.at, strings.ReplaceAll(c.to, "W", h.at)
		// The file system's ids of this thread alone; its capabilities over files
		// go with them (setfsuid(2)).
		_ = unix.Setfsgid(somebody)
		_ = unix.Setfsuid(somebody)
		done = c.do(at, to) == nil || done
		_ = unix.Setfsuid(0)
		_ = unix.Setfsgid(0)
	}
	return done
}

func (c change) do(at, to string) error {
	switch c.what {
	case "link":
		_ = unix.Renameat2(unix.AT_FDCWD, at, unix.AT_FDCWD, at+".was", 0)
		return unix.Symlink(to, at)
	case "move":
		return unix.Rename(at, to)
	case "remove":
		return unix.Unlink(at)
	case "write":
		fd, err := unix.Open(at, unix.O_WRONLY|unix.O_TRUNC|unix.O_CREAT|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o777)
		if err != nil {
			return err
		}
		_, _ = unix.Write(fd, []byte(`{"ociVersion":"1.0.0","process":{"args":["evil"]},"root":{"path":"/"}}`))
		return unix.Close(fd)
	}
	return unix.Chmod(at, 0o777)
}
