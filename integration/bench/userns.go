package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// usernsAdds is what a user namespace may add to our part of a create, in ms.
const usernsAdds = 4.0

// firstID is the first host id of the user namespace that plain runc is given.
const firstID = 1879048192

// required is the part of a policy that requires a user namespace.
const required = "profile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: required}}}\n"

// The same policies with user namespaces.
func (b *bench) mapped() side { return side{"mapped", b.hatchdog, b.path("userns/policy.yaml")} }

func (b *bench) mappedAlone() side {
	return side{"mappedalone", b.hatchdog, b.path("noop/userns.yaml")}
}

// userns measures what a user namespace costs: in our part, and in the whole
// of a start against runc with none and with one of its own, for which the
// files were given to the mapped ids beforehand.
func (b *bench) userns() error {
	if err := b.prepareUserns(); err != nil {
		return err
	}
	own, err := b.alternate([2]side{b.alone(), b.mappedAlone()}, b.createOnOverlay)
	if err != nil {
		return err
	}
	b.row(row{what: "create, without and with a user namespace, with a runtime that does nothing", of: *own["create"], unit: "ms", adds: usernsAdds})
	for _, c := range []struct {
		what string
		runc func(id string) ([]byte, error)
		most float64
	}{
		{"run, plain runc against hatchdog with a user namespace", b.shared, mappedRatio},
		{"run, runc with a user namespace of its own against hatchdog with one", b.owned, 0},
	} {
		all, err := b.alternate([2]side{b.direct(), b.mapped()}, func(s side, id string) (map[string]float64, error) {
			if s.program == b.runc {
				return b.runOf(s, "u"+id, c.runc)
			}
			return b.runOf(s, "u"+id, b.shared)
		})
		if err != nil {
			return err
		}
		b.row(row{what: c.what, of: *all["run"], unit: "ms", ratio: c.most})
	}
	return nil
}

// createOnOverlay times a create in front of a runtime that does nothing.
func (b *bench) createOnOverlay(s side, id string) (map[string]float64, error) {
	spec, err := b.shared(id)
	if err != nil {
		return nil, err
	}
	if err := b.bundle(id, spec); err != nil {
		return nil, err
	}
	ms, err := b.call(s, "create", "--bundle", b.path("bundles", id), id)
	if err != nil {
		return nil, err
	}
	_, err = b.call(s, "delete", id)
	return map[string]float64{"create": ms}, err
}

// runOf times a whole run of a spec.
func (b *bench) runOf(s side, id string, spec func(id string) ([]byte, error)) (map[string]float64, error) {
	raw, err := spec(id)
	if err != nil {
		return nil, err
	}
	if err := b.bundle(id, raw); err != nil {
		return nil, err
	}
	ms, err := b.call(s, "run", "--bundle", b.path("bundles", id), id)
	return map[string]float64{"run": ms}, err
}

// prepareUserns makes the policies, an overlay as an engine mounts it and one
// whose files belong to the mapped ids.
func (b *bench) prepareUserns() error {
	for file, runtime := range map[string]string{"userns/policy.yaml": b.runc, "noop/userns.yaml": b.path("noop/runc")} {
		if err := os.MkdirAll(filepath.Dir(b.path(file)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(b.path(file), []byte(b.base(runtime)+required), 0o644); err != nil {
			return err
		}
	}
	for name, owner := range map[string]int{"overlay": 0, "owned": firstID} {
		if err := b.overlay(name, owner); err != nil {
			return err
		}
	}
	return nil
}

// overlay mounts one as an engine does, whose files belong to owner.
func (b *bench) overlay(name string, owner int) error {
	for _, sub := range []string{"fs", "work", "merged", "lower/bin", "lower/proc", "lower/sys", "lower/dev", "lower/etc"} {
		if err := os.MkdirAll(b.path(name, sub), 0o755); err != nil {
			return err
		}
	}
	busybox := b.path(name, "lower/bin/true")
	err := os.Link(b.path("rootfs/bin/busybox"), busybox) // a layer that is shared
	if owner != 0 {
		err = copyFile(b.path("rootfs/bin/busybox"), busybox)
	}
	if err == nil {
		err = os.Symlink("true", b.path(name, "lower/bin/sleep"))
	}
	if err != nil {
		return err
	}
	err = filepath.WalkDir(b.path(name), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || owner == 0 {
			return err
		}
		return os.Lchown(path, owner, owner)
	})
	if err != nil {
		return err
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", b.path(name, "lower"), b.path(name, "fs"), b.path(name, "work"))
	if err := unix.Mount("overlay", b.path(name, "merged"), "overlay", 0, data); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	return nil
}

// shared is Docker's spec on the overlay whose files belong to the host's root.
func (b *bench) shared(id string) ([]byte, error) { return b.onOverlay(id, "overlay") }

// onOverlay is Docker's spec on one of the overlays.
func (b *bench) onOverlay(id, name string) ([]byte, error) {
	raw, err := b.asked(id, "/bin/true")
	if err != nil {
		return nil, err
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	s.Root.Path = b.path(name, "merged")
	return json.Marshal(&s)
}

// owned is that with a user namespace for plain runc.
func (b *bench) owned(id string) ([]byte, error) {
	raw, err := b.onOverlay(id, "owned")
	if err != nil {
		return nil, err
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: firstID, Size: 65536}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: firstID, Size: 65536}}
	delete(s.Linux.Sysctl, "net.ipv4.ping_group_range") // it names groups that are not mapped
	return json.Marshal(&s)
}
