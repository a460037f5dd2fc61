package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxOptions bounds the options that an engine sends, in bytes.
const maxOptions = 10 << 20

// shimManager starts shims as the stock one does, and tells of hatchdog's
// features instead of runc's.
type shimManager struct {
	shim.Manager
	getenv func(string) string
}

// errDaemon is what a daemon shows whose shim protocol this library does not
// speak: containerd 1.7 and 2.x say in MAX_SHIM_VERSION that they read more
// than an address.
var errDaemon = errors.New("this containerd is too old for " + Name + ", which needs 2.0: use runtime type io.containerd.runc.v2 with BinaryName = hatchdog")

// Start starts the shim, or joins that of the pod.
func (m *shimManager) Start(ctx context.Context, id string, opts shim.StartOpts) (shim.BootstrapParams, error) {
	if m.getenv("MAX_SHIM_VERSION") == "" {
		return shim.BootstrapParams{}, errDaemon
	}
	return m.Manager.Start(ctx, id, opts)
}

// Info answers what the engine asks before it offers user namespaces and
// idmapped mounts.
func (m *shimManager) Info(ctx context.Context, r io.Reader) (*types.RuntimeInfo, error) {
	sent, err := io.ReadAll(io.LimitReader(r, maxOptions))
	if err != nil {
		return nil, fmt.Errorf("runtime options: %w", err)
	}
	var asked *anypb.Any
	if len(sent) > 0 {
		asked = &anypb.Any{}
		if err := proto.Unmarshal(sent, asked); err != nil {
			return nil, fmt.Errorf("runtime options: %w", err)
		}
	}
	held, err := hold(asked, m.getenv)
	if err != nil {
		return nil, err
	}
	packed, err := pack(held)
	if err != nil {
		return nil, err
	}
	data, err := proto.Marshal(packed)
	if err != nil {
		return nil, fmt.Errorf("runtime options: %w", err)
	}
	return m.Manager.Info(ctx, bytes.NewReader(data))
}

func pack(o *options.Options) (*anypb.Any, error) {
	packed, err := typeurl.MarshalAnyToProto(o)
	if err != nil {
		return nil, fmt.Errorf("runtime options: %w", err)
	}
	return packed, nil
}
