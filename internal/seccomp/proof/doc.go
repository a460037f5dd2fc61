// Package proof holds the tests that compile filters with libseccomp, as runc
// does, and run what comes out on many calls. It is apart because it needs cgo
// and libseccomp; nothing else does.
package proof
