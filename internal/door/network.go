package door

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/plan"
)

// hookArgs are the words of the hook's command line: hatchdog, the verb, the
// record's directory.
const hookArgs = 3

// networkLock is beside the records: no id has an @.
const networkLock = "@network"

// maxState is the longest state that a low-level runtime gives a hook.
const maxState = 1 << 20

var (
	errUnheld     = errors.New("the network rules have no place")
	errOtherState = errors.New("the state that the hook was given is not that of its container")
)

// holdNetwork installs the network rules where the namespace is there already.
//
// In a namespace that is shared another container may rely on them by the time
// that this create fails: they stay, and only narrow.
func (j *judged) holdNetwork() error {
	n := j.network
	switch n.Kind {
	case plan.NetworkFree, plan.NetworkLoopback, plan.NetworkStart, plan.NetworkHooked:
		return nil
	case plan.NetworkJoined:
		_, err := firewall.Hold(firewall.Target{
			Path: n.Path, ID: n.ID, ResolvConf: n.ResolvConf, Lock: filepath.Join(j.store.Base, networkLock),
		}, j.profile.NetworkRules())
		if err != nil {
			return err
		}
		j.decision.Notes = append(j.decision.Notes, "the profile's network rules are in its network namespace; hatchctl net shows them")
		if err := j.store.Owned(j.claim.Dir(), decision.NetworkNamespace(n.ID)); err != nil {
			return err
		}
		return decision.KeepNamespace(j.claim.Dir(), n.ID)
	}
	return fmt.Errorf("%s: %w", n.Kind, errUnheld)
}

// hook is hatchdog as its own hook: the low-level runtime has made the
// namespace and the engine has wired it, and nothing of the container runs. Any
// failure ends the create.
func (w World) hook(dir string) int {
	if err := w.hookOf(dir); err != nil {
		fmt.Fprintln(w.Stderr, "hatchdog: network rules:", flat(err))
		return 1
	}
	return 0
}

func (w World) hookOf(dir string) error {
	var state specs.State
	if err := json.NewDecoder(io.LimitReader(w.Stdin, maxState)).Decode(&state); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	rec, err := decision.ReadHeld(dir)
	if err != nil {
		return err
	}
	if state.ID != rec.Decision.ID || state.Pid <= 0 || rec.Rules == nil ||
		rec.Network.Kind != plan.NetworkHooked && (rec.Network.Kind != plan.NetworkJoined || !rec.Rules.Named()) {
		return errOtherState
	}
	if err := w.holdIn(state.Pid, dir, rec); err != nil {
		return err
	}
	return ownSpaces(decision.Store{Base: filepath.Join(dir, "..", "..")}, filepath.Clean(dir), state.Pid)
}

// holdIn installs the network rules of the record in dir in the namespace of a
// container's first process, starts a resolver where they allow names, and notes
// there which namespace has them.
func (w World) holdIn(pid int, dir string, rec *decision.Held) error {
	in, err := firewall.Hold(firewall.Target{
		Path: fmt.Sprintf("/proc/%d/ns/net", pid), ResolvConf: rec.Network.ResolvConf, Lock: filepath.Join(dir, "..", "..", networkLock),
	}, rec.Rules)
	if err != nil {
		return err
	}
	id, err := firewall.ID(in.FD())
	if err != nil {
		return err
	}
	if err := w.at("ruled"); err != nil {
		return err
	}
	if err := startResolver(in, pid, filepath.Clean(dir)); err != nil {
		return err
	}
	if err := w.at("named"); err != nil {
		return err
	}
	store := decision.Store{Base: filepath.Join(dir, "..", "..")}
	if err := store.Owned(filepath.Clean(dir), decision.NetworkNamespace(id)); err != nil {
		return err
	}
	return decision.KeepNamespace(dir, id)
}
