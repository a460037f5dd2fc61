// Package shim is containerd's own runc shim with hatchdog in runc's place.
//
// Guarantees: every create, restore, exec, update and delete of a task goes
// through the hatchdog binary, whatever runtime options the engine sends; an
// option that it cannot honour fails the create and says so. It holds no
// policy and no second implementation: the doors are hatchdog's.
// Does not cover: what containerd does without a shim (images, snapshots).
// Requires: hatchdog beside this program or in PATH; a containerd that speaks
// version 2 or 3 of the shim protocol.
// Spec fields touched: none; hatchdog touches them.
package shim

import (
	"context"
	"os"

	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	"github.com/containerd/containerd/v2/pkg/shim"
)

// Name is the runtime type, as containerd's configuration writes it.
const Name = "io.containerd.hatchdog.v1"

// Run is the whole program: the start and delete commands, and the server.
func Run(ctx context.Context) {
	register(os.Getenv)
	shim.Run(ctx, &shimManager{Manager: manager.NewShimManager(Name), getenv: os.Getenv})
}
