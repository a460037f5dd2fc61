// Package profiles holds the built-in profiles, in the words that an
// administrator's own are written in.
package profiles

import "embed"

// Files holds baseline.yaml, restricted.yaml and untrusted.yaml.
//
//go:embed *.yaml
var Files embed.FS
