// Package syscalls holds the names of the system calls: every one that
// libseccomp or a table knows, and on which architectures it is a call of its
// own. It is data; who needs it reads it for himself.
package syscalls

import _ "embed"

// Text has one line for each call, sorted: its name, and of amd64, x86, x32,
// arm64 and arm those that have it, as one letter each (a x z r s).
//
//go:embed names.txt
var Text string
