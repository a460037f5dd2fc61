package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/capture"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/freeze"
	"github.com/hatchdog/hatchdog/internal/inside"
)

// eventsMost is how many of the audit log's last lines on a container are kept.
const eventsMost = 500

func captureCommand(o *options) *cobra.Command {
	var to string
	var frozen bool
	cmd := o.act("capture", "Keep what a container looks like now, in one file with digests",
		`Keep what a container looks like now, in a tar file: its processes with their
arguments, the names of their environment, what they have open and mapped; the
sockets of its network and its rules; what its writable layer holds, with digests;
what the kernel counted; its record, and the last lines of the audit log on it with
the state of the log's chain. manifest.json has the SHA-256 of each.

No value of the environment and no content of a file is kept. Arguments of processes
are: they may hold secrets. The file is readable by its owner alone.

With --freeze the container is frozen meanwhile, and goes on afterwards if it did
before.`,
		"  hatchctl capture web\n  hatchctl capture --freeze --output evidence.tar web", nil)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := o.subject(args[0], whyOptions{})
		if err != nil {
			return err
		}
		defer s.close()
		if s.c.Process == nil {
			return fmt.Errorf("%s: %w", args[0], errNotRunning)
		}
		now := time.Now().UTC()
		name := to
		if name == "" {
			name = fmt.Sprintf("hatchdog-capture-%s-%s.tar", shortID(s.d.ID), now.Format("20060102T150405Z"))
		}
		sum, err := s.capture(name, now, frozen)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", sum, harmless(name))
		return nil
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "the file to write; it must not be there (default: hatchdog-capture-ID-TIME.tar)")
	cmd.Flags().BoolVar(&frozen, "freeze", false, "freeze the container while it is looked at")
	return cmd
}

// capture writes the archive. A file that is not whole does not stay.
func (s *subject) capture(name string, now time.Time, frozen bool) (sum string, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			_ = os.Remove(name)
		}
	}()
	m := capture.Manifest{Container: s.d.ID, Time: now}
	if frozen {
		thaw, err := s.hold()
		if err != nil {
			return "", err
		}
		m.Frozen = true
		defer func() { err = errors.Join(err, thaw()) }()
	}
	return s.write(f, m)
}

// hold freezes the container. The function that it returns lets it go on, if it did
// before.
func (s *subject) hold() (thaw func() error, err error) {
	f, err := freeze.Of(s.c.Given.Cgroups)
	if err != nil {
		return nil, err
	}
	if was, err := f.Frozen(); err != nil || was {
		return func() error { return nil }, err
	}
	return f.Thaw, f.Freeze()
}

func (s *subject) write(w io.Writer, m capture.Manifest) (string, error) {
	a := capture.NewArchive(w, m.Time)
	members, strays := capture.Pids(s.c.Given.Cgroups, s.init.Pid)
	note := func(what string, err error) {
		if err != nil {
			m.Notes = append(m.Notes, what+": "+err.Error())
		}
	}
	layer, err := s.layer()
	note("writable layer", err)
	rules, err := s.rules()
	note("network rules", err)
	events, err := s.events()
	note("audit log", err)
	chain, err := s.chain()
	note("audit log's chain", err)
	for _, one := range []struct {
		name string
		what any
	}{
		{"record.json", s.entry.Record},
		{"processes.json", capture.Processes(members, strays)},
		{"sockets.json", capture.Sockets(s.init.Pid)},
		{"network-rules.json", rules},
		{"writable-layer.json", layer},
		{"counted.json", inside.ReadCounted(s.c.Given.Cgroups)},
		{"audit.json", events},
		{"audit-chain.json", chain},
	} {
		if err := a.AddJSON(one.name, one.what); err != nil {
			return "", err
		}
	}
	return a.Close(m)
}

func (s *subject) layer() (capture.Layer, error) {
	dir, err := capture.Upper(s.entry.Record.RootFS)
	if err != nil {
		return capture.Layer{}, err
	}
	return capture.ReadLayer(dir)
}

func (s *subject) rules() (firewall.Report, error) {
	if s.net < 0 || !s.ruled() {
		return firewall.Report{}, errNoRules
	}
	return firewall.Read(s.net)
}

// events are the last lines of the audit log on the container.
func (s *subject) events() ([]json.RawMessage, error) {
	path, err := s.o.auditPath()
	if err != nil {
		return nil, err
	}
	var last []json.RawMessage
	err = audit.Read(path, func(event []byte) error {
		var of struct{ ID, Root string }
		if json.Unmarshal(event, &of) != nil || of.ID != s.d.ID || of.Root != s.d.Root {
			return nil
		}
		if last = append(last, append([]byte(nil), event...)); len(last) > eventsMost {
			last = last[1:]
		}
		return nil
	})
	return last, err
}

func (s *subject) chain() (audit.Report, error) {
	path, err := s.o.auditPath()
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(path)
}
