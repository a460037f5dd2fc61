// Package seccomp understands the seccomp part of the OCI spec and cuts a
// filter down to a table of the profile.
//
// Guarantees: the result of Intersect allows a call only if both the spec's filter,
// as libseccomp compiles it, and the table allow it; where the two cannot be
// combined exactly, it denies, and says for which calls it did. Everything in it is
// a function of its arguments.
// Does not cover: what a call that is allowed can do; arguments behind a
// pointer, which no filter sees.
// Requires: libseccomp 2.5 or later in the low-level runtime. The proof that
// the emitted shapes compile to what they say is in internal/seccomp/proof.
// Spec fields touched: linux.seccomp.
package seccomp
