// Package syscalls holds the names of the system calls: every one that
// libseccomp or a table knows. It is data; who needs it reads it for himself.
package syscalls

import _ "embed"

// Text has one name on each line, sorted.
//
//go:embed names.txt
var Text string
