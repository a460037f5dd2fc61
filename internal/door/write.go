package door

import (
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/argv"
)

// write lets the low-level runtime read what was decided, and nobody else change
// it. The bundle stays as its owner wrote it: the document is mounted over the
// spec, for the low-level runtime alone. Where we may not mount, or others can
// change what the bundle's path leads to, it is in the record's directory, and
// the low-level runtime gets that for a bundle. The command line says which.
func (p *proven) write() (args []string, err error) {
	if p.acquired.Base() != "" && p.bundle.Steady() {
		return p.call.Argv, p.acquired.Cover(p.bundle, p.doc.Raw)
	}
	if err := p.claim.KeepConfig(p.doc.Raw); err != nil {
		return nil, err
	}
	return elsewhere(p.call, p.bundle.Dir(), p.claim.Dir()), nil
}

// elsewhere is the command line with another bundle. runc looks for a socket
// where the bundle is.
func elsewhere(call *argv.Call, was, is string) []string {
	var extra []string
	if call.Bundle == "" {
		extra = []string{"--bundle", is}
	}
	return call.Edit(func(name, value string) (string, bool) {
		switch name {
		case "bundle", "b":
			return is, true
		case "console-socket", "pidfd-socket":
			if value != "" && !filepath.IsAbs(value) {
				return filepath.Join(was, value), true
			}
		}
		return value, true
	}, extra...)
}
