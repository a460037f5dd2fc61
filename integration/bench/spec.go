package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// docker is the spec that Docker wrote, for a bundle of ours.
var docker []byte

func (b *bench) readSpec(file string) error {
	var err error
	docker, err = os.ReadFile(file)
	return err
}

func (b *bench) cgroup(id string) string {
	return fmt.Sprintf("/hatchdog-bench-%d-%s", os.Getpid(), id)
}

// asked is Docker's spec for one container.
func (b *bench) asked(id string, args ...string) ([]byte, error) {
	var s specs.Spec
	if err := json.Unmarshal(docker, &s); err != nil {
		return nil, err
	}
	s.Process.Args, s.Process.Terminal = args, false
	s.Root.Path = b.path("rootfs")
	s.Hooks = nil // Docker's network hook needs Docker
	s.Linux.CgroupsPath = b.cgroup(id)
	for i, m := range s.Mounts {
		if strings.HasPrefix(m.Destination, "/etc/") {
			s.Mounts[i].Source = b.path("etc", filepath.Base(m.Destination))
		}
	}
	return json.Marshal(&s)
}

// tightened is what hatchdog makes of Docker's spec, with the paths that were
// asked for: those that hatchdog hands on lead nowhere outside.
func (b *bench) tightened(id string, args ...string) ([]byte, error) {
	raw, err := b.asked(id, args...)
	if err != nil {
		return nil, err
	}
	return b.tighten(id, raw)
}

func (b *bench) tighten(id string, raw []byte) ([]byte, error) {
	if err := b.bundle(id, raw); err != nil {
		return nil, err
	}
	copying := side{"copy", b.hatchdog, b.path("copy/policy.yaml")}
	if _, err := b.call(copying, "create", "--bundle", b.path("bundles", id), id); err != nil {
		return nil, err
	}
	if _, err := b.call(copying, "delete", id); err != nil {
		return nil, err
	}
	made, err := os.ReadFile(b.path("copy/config.json"))
	if err != nil {
		return nil, err
	}
	var before, after specs.Spec
	if err := errors.Join(json.Unmarshal(raw, &before), json.Unmarshal(made, &after)); err != nil {
		return nil, err
	}
	after.Root.Path = before.Root.Path
	for i := range after.Mounts {
		for _, m := range before.Mounts {
			if m.Destination == after.Mounts[i].Destination && m.Type == after.Mounts[i].Type {
				after.Mounts[i].Source = m.Source
			}
		}
	}
	return json.Marshal(&after)
}

func (b *bench) bundle(id string, spec []byte) error {
	if err := os.MkdirAll(b.path("bundles", id), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.path("bundles", id, "config.json"), spec, 0o644)
}

// process writes the process file of an exec: the spec's process as /bin/true.
func (b *bench) process(id string, spec []byte) (string, error) {
	var s specs.Spec
	if err := json.Unmarshal(spec, &s); err != nil {
		return "", err
	}
	s.Process.Args = []string{"/bin/true"}
	raw, err := json.Marshal(s.Process)
	if err != nil {
		return "", err
	}
	file := b.path("bundles", id, "process.json")
	return file, os.WriteFile(file, raw, 0o644)
}
