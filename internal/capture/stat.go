package capture

import "syscall"

// unixStat is what os.FileInfo has of a file.
type unixStat = syscall.Stat_t
