// Package apparmor loads the AppArmor profiles that come with hatchdog into the
// kernel, and takes them out.
//
// Guarantees: a profile that Load returned without an error for is enforced; a
// parser that fails, hangs or does nothing is an error within Timeout; two
// loads do not meet.
// Does not cover: keeping a profile loaded. It is the host's, is shared by all
// containers, and is not undone with one of them.
// Requires: apparmor_parser 3.0 or later, securityfs, CAP_MAC_ADMIN.
// Spec fields touched: none.
package apparmor

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hatchdog/hatchdog/internal/host"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

// Errors of loading.
var (
	ErrNotOurs  = errors.New("not a profile that comes with hatchdog")
	ErrNoParser = errors.New("apparmor_parser is not installed")
	ErrNoEffect = errors.New("apparmor_parser reported no error, but the kernel does not agree")
	ErrLocked   = errors.New("another load does not end")
)

// Loader loads profiles. Every field must be set.
type Loader struct {
	Root    string // where the kernel's file systems are: / but in tests
	Parser  string // apparmor_parser; FindParser knows where
	Lock    string // a file in a directory of root's
	Timeout time.Duration
}

// New is the loader of this host. Its lock is in the state directory, beside
// the records: no id has an @.
func New(stateDir, parser string) Loader {
	return Loader{Root: "/", Parser: parser, Lock: filepath.Join(stateDir, "@apparmor.lock"), Timeout: 10 * time.Second}
}

// Ensure loads a profile unless it is enforced.
func (l Loader) Ensure(name string) error { return l.load(name, false) }

// Replace loads a profile in the place of what is there under its name.
func (l Loader) Replace(name string) error { return l.load(name, true) }

func (l Loader) load(name string, anyway bool) error {
	text, ok := profiles.Text(name)
	if !ok {
		return fmt.Errorf("%q: %w", name, ErrNotOurs)
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if !anyway && host.ProbeApparmor(l.Root, name).Enforced(name) {
		return nil // somebody was faster
	}
	if err := l.parse(text, "--replace", "--skip-cache"); err != nil {
		return err
	}
	now := host.ProbeApparmor(l.Root, name)
	switch {
	case now.Err != "":
		return errors.New(now.Err)
	case !now.Enforced(name) && now.Modes[name] != "":
		return fmt.Errorf("%w: it is in %s mode", ErrNoEffect, now.Modes[name])
	case !now.Enforced(name):
		return fmt.Errorf("%w: it is not loaded", ErrNoEffect)
	}
	return nil
}

// Unload takes a profile out of the kernel. Processes that run under it are
// unconfined from then on: the caller looks for them (host.Confined).
func (l Loader) Unload(name string) error {
	text, ok := profiles.Text(name)
	if !ok {
		return fmt.Errorf("%q: %w", name, ErrNotOurs)
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.parse(text, "--remove"); err != nil {
		return err
	}
	if mode := host.ProbeApparmor(l.Root, name).Modes[name]; mode != "" {
		return fmt.Errorf("%w: it is in %s mode", ErrNoEffect, mode)
	}
	return nil
}
