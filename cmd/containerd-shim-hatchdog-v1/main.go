// Command containerd-shim-hatchdog-v1 is the containerd shim of runtime type
// io.containerd.hatchdog.v1.
package main

import (
	"context"

	"github.com/hatchdog/hatchdog/shim"
)

func main() { shim.Run(context.Background()) }
