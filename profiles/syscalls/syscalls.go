// Package syscalls holds the names of the system calls: every one that libseccomp
// or a table knows. It is data; each package that needs it reads it by itself.
package syscalls

import _ "embed"

// Text has one name on each line, sorted.
//
//go:embed names.txt
var Text string
