package door

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runc/libcontainer/configs/validate"
	"github.com/opencontainers/runc/libcontainer/specconv"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// judge looks at what the low-level runtime would be given, on the thread and in
// the mount namespace that it would inherit.
func (h *stand) judge(c *committed, o *outcome) {
	dir := bundleOf(c.args)
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		o.errorf("it is started without a spec: %v", err)
		return
	}
	rec, err := c.store.Load(c.root, c.call.ID)
	if err != nil {
		o.errorf("it is started without a record: %v", err)
		return
	}
	if digest(raw) != rec.Decision.SpecOut {
		o.errorf("what is read is not what was judged: %s", raw)
		return
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		o.errorf("%v", err)
		return
	}
	h.wantFiles(&s, o)
	h.wantHooks(s.Hooks, o)
	wantOwn(&s, o)
	wantTaken(&s, o)
}

// bundleOf is where the low-level runtime reads config.json.
func bundleOf(args []string) string {
	if i := slices.Index(args, "--bundle"); i >= 0 {
		return args[i+1]
	}
	return "."
}

// wantFiles asserts that nothing is reached that is closed, and nothing written
// that is only readable.
func (h *stand) wantFiles(s *specs.Spec, o *outcome) {
	h.reach("root.path", s.Root.Path, true, o)
	for _, m := range s.Mounts {
		if m.Type != "bind" && !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") {
			continue
		}
		h.reach("mounts["+m.Destination+"]", m.Source, writes(m.Options), o)
	}
}

// writes reads options as runc does: rro holds for the whole tree, ro for the
// mount itself.
func writes(options []string) bool {
	rro := false
	for _, op := range options {
		switch op {
		case "rro":
			rro = true
		case "rrw":
			rro = false
		}
	}
	return !rro
}

// reach walks all that a path brings into the container.
func (h *stand) reach(field, path string, writes bool, o *outcome) {
	if !filepath.IsAbs(path) {
		o.errorf("%s: %s is not absolute", field, path)
		return
	}
	root, err := filepath.EvalSymlinks(path)
	if err != nil {
		return // the low-level runtime starts nothing
	}
	if !strings.HasPrefix(root+"/", h.at+"/") {
		o.errorf("%s: %s leads to %s, outside of the stage", field, path, root)
		return
	}
	_ = filepath.WalkDir(root, func(at string, _ os.DirEntry, err error) error {
		id, _, lerr := lstat(at)
		if lerr != nil {
			return nil //nolint:nilerr // gone
		}
		switch z := h.zones[id]; {
		case z == closed && (at == root || !special(at)):
			o.errorf("%s: %s reaches %s, which is closed", field, path, at)
		case z == readable && writes:
			o.errorf("%s: %s may write to %s", field, path, at)
		}
		if err != nil {
			return filepath.SkipDir
		}
		return nil
	})
}

// special tells of a socket, a FIFO or a device below an admitted directory:
// what an admitted source holds is not judged.
func special(at string) bool {
	_, mode, err := lstat(at)
	return err == nil && mode&(os.ModeNamedPipe|os.ModeSocket|os.ModeDevice) != 0
}

func (h *stand) wantHooks(hooks *specs.Hooks, o *outcome) {
	if hooks == nil {
		return
	}
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		o.errorf("%v", err)
		return
	}
	for _, all := range [][]specs.Hook{hooks.CreateRuntime, hooks.CreateContainer, hooks.Poststart, hooks.Poststop} {
		for _, hook := range all {
			found, err := os.Stat(hook.Path)
			if err != nil || os.SameFile(found, own) {
				continue
			}
			real, err := filepath.EvalSymlinks(hook.Path)
			if id, _, lerr := lstat(real); err != nil || lerr != nil || id != h.hook {
				o.errorf("hook %s is another program", hook.Path)
			}
		}
	}
}

// wantOwn asserts what every profile of the stage holds.
func wantOwn(s *specs.Spec, o *outcome) {
	for _, t := range []specs.LinuxNamespaceType{"pid", "mount", "ipc", "uts", "network"} {
		i := slices.IndexFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == t })
		if i < 0 {
			o.errorf("no %s namespace", t)
			continue
		}
		if path := s.Linux.Namespaces[i].Path; path != "" {
			link, err := os.Readlink(path)
			own, _ := os.Readlink("/proc/1/ns/" + map[specs.LinuxNamespaceType]string{"network": "net", "mount": "mnt"}[t])
			if err == nil && link == own {
				o.errorf("%s is the host's %s namespace", path, t)
			}
		}
	}
	if !s.Process.NoNewPrivileges {
		o.errorf("new privileges can be had")
	}
	if caps := s.Process.Capabilities; caps != nil && slices.Contains(caps.Bounding, "CAP_SYS_ADMIN") {
		o.errorf("CAP_SYS_ADMIN")
	}
}

// wantTaken asserts that runc's own library takes the document.
func wantTaken(s *specs.Spec, o *outcome) {
	config, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{CgroupName: "c1", Spec: s})
	if err != nil {
		o.errorf("runc does not read it: %v", err)
		return
	}
	if _, err := os.Stat(config.Rootfs); err != nil {
		return // gone meanwhile: runc says so
	}
	if err := validate.Validate(config); err != nil {
		o.errorf("runc does not take it: %v", err)
	}
}
