// The process is over before the limits of its control group change, and nobody
// reads the names of its mappings.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
//go:debug decoratemappings=0

// Command hatchdog is an OCI runtime: it tightens the request, proves and records
// the result, and execs runc.
package main

import (
	"os"

	"github.com/hatchdog/hatchdog/internal/door"
	_ "github.com/hatchdog/hatchdog/internal/straight" // hands over what needs nothing of the rest
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(door.Process(version).Main(os.Args)) }
