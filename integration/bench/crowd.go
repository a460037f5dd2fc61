package main

import (
	"encoding/json"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// crowd measures beside containers that live, each with a user namespace, a
// network namespace with rules and a record: a whole run against plain runc,
// and our own part against the same with records and ids of its own, which are
// few.
func (b *bench) crowd() error {
	ids := make([]string, b.lives)
	for i := range ids {
		ids[i] = fmt.Sprintf("crowd-%d", i)
	}
	b.crowded = true
	err := inTwos(ids, b.join)
	b.crowded = false
	if err != nil {
		return err
	}
	all, err := b.alternate([2]side{b.direct(), b.mapped()}, func(s side, id string) (map[string]float64, error) {
		return b.runOf(s, "beside-"+id, b.shared)
	})
	if err != nil {
		return err
	}
	b.row(row{what: fmt.Sprintf("run with a user namespace, beside %d containers", b.lives), of: *all["run"], unit: "ms", ratio: 1})
	few := side{"few", b.hatchdog, b.path("few.yaml")}
	text := fmt.Sprintf("version: 1\nstateDir: %[1]s/few/state\nids: {dir: %[1]s/few/ids}\naudit: {path: %[1]s/log/audit.jsonl}\nruntime: {path: %[1]s/noop/runc}\n%[2]s", b.dir, required)
	if err := os.Mkdir(b.path("few"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(few.policy, []byte(text), 0o644); err != nil {
		return err
	}
	// The first create after the file of ids was lost looks at all processes.
	if _, err := b.createOnOverlay(few, "few"); err != nil {
		return err
	}
	own, err := b.alternate([2]side{few, b.mappedAlone()}, func(s side, id string) (map[string]float64, error) {
		return b.createOnOverlay(s, "beside-"+id)
	})
	if err != nil {
		return err
	}
	b.row(row{what: fmt.Sprintf("create, few records and %d, with a runtime that does nothing", b.lives), of: *own["create"], unit: "ms"})
	b.crowded = true
	defer func() { b.crowded = false }()
	return inTwos(ids, func(id string) error {
		if _, err := b.call(b.mapped(), "delete", "--force", id); err != nil {
			return err
		}
		return unix.Unmount(b.path(id, "merged"), 0)
	})
}

// join starts one of the crowd.
func (b *bench) join(id string) error {
	if err := b.overlay(id, 0); err != nil {
		return err
	}
	raw, err := b.onOverlay(id, id)
	if err != nil {
		return err
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	s.Process.Args = []string{"/bin/sleep", "100000"}
	if raw, err = json.Marshal(&s); err != nil {
		return err
	}
	if err := b.bundle(id, raw); err != nil {
		return err
	}
	_, err = b.call(b.mapped(), "run", "--detach", "--bundle", b.path("bundles", id), id)
	return err
}
