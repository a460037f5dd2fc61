// Command hatchdog is an OCI runtime: it tightens what it is asked for, proves
// and records it, and execs runc.
package main

import (
	"os"

	"github.com/hatchdog/hatchdog/internal/door"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(door.Process(version).Main(os.Args)) }
