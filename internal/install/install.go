// Package install adds hatchdog to engines as a runtime, and undoes it.
//
// Guarantees: a file is replaced as a whole or not at all, with its mode and owner;
// the other settings in it stay; the file as it was stays beside it, and an
// uninstall brings it back byte for byte if nobody has changed it since. A second
// install changes nothing. A file that does not parse, or whose edit does not parse
// to the same settings plus ours, is left alone.
// Does not cover: which containers an engine then runs under hatchdog, except for
// its default runtime; engines that are configured by other means.
// Requires: write access to the engine's configuration.
// Spec fields touched: none.
package install

import "errors"

// Options say what an engine is told.
type Options struct {
	Binary     string // absolute path of hatchdog
	SetDefault bool   // hatchdog becomes the runtime of containers that name none; false leaves what is
}

// Errors of a configuration that is left alone.
var (
	ErrParse    = errors.New("the engine's configuration does not parse")
	ErrConflict = errors.New("the engine's configuration has a runtime of this name that hatchdog did not write")
	ErrVersion  = errors.New("this version of the configuration cannot be edited")
	ErrLost     = errors.New("the edit would change other settings")
	ErrDefault  = errors.New("the default runtime is not set in this file")
	ErrNoCRI    = errors.New("the CRI plugin is disabled here, and what it would be told is without effect")
)

// Format is how one engine writes its configuration. Both functions are pure.
type Format interface {
	// Add returns the configuration with hatchdog in it; nil raw is no file.
	Add(raw []byte, o Options) ([]byte, error)
	// Remove returns it without; nil is no file. The other settings stay.
	Remove(raw []byte) ([]byte, error)
}

// name of the runtime, in every engine.
const name = "hatchdog"
