// Package proof holds the tests that compile filters with libseccomp, as runc
// does, and run what comes out on many calls. It is apart because it needs cgo
// and libseccomp; nothing else does.
//
// Guarantees: none beyond its tests.
// Does not cover: the kernel's own work with a filter, which integration tests see.
// Requires: cgo and libseccomp.
// Spec fields touched: none.
package proof
