package door

import (
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
)

// write lets the low-level runtime read what was decided, and nobody else change
// it. The bundle stays as its owner wrote it: the document is mounted over the
// spec, for the low-level runtime alone. Where we may not mount, or others can
// change what the bundle's path leads to, it is in the record's directory, and
// the low-level runtime gets that for a bundle.
func (c *creation) write(b *bundle.Bundle, doc []byte) error {
	if c.acquired.Base() != "" && b.Steady() {
		c.argv = c.call.Argv
		return c.acquired.Cover(b, doc)
	}
	if err := c.claim.KeepConfig(doc); err != nil {
		return err
	}
	c.argv = elsewhere(c.call, b.Dir(), c.claim.Dir())
	return nil
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
