// Package profiles holds the built-in profiles: in the language of an
// administrator's own (*.yaml), and as the test of package policy compiles them
// (compiled/*.json).
package profiles

import "embed"

// Compiled holds the resolved profiles, one JSON file for each of Names.
//
//go:embed compiled/*.json
var Compiled embed.FS

// Names are the built-in profiles, from wide to narrow.
func Names() []string { return []string{"baseline", "restricted", "untrusted", "sandbox"} }
