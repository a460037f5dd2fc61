package shim

import (
	"context"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/containerd/ttrpc"
)

// service is the stock task service, whose runtime is hatchdog.
type service struct {
	taskapi.TTRPCTaskService
	getenv func(string) string
}

var _ shim.TTRPCService = (*service)(nil)

// RegisterTTRPC serves this service: the stock one's would serve itself.
func (s *service) RegisterTTRPC(server *ttrpc.Server) error {
	taskapi.RegisterTTRPCTaskService(server, s)
	return nil
}

// Create settles for good which runtime the container has: the stock service
// keeps it in the bundle and uses it for everything that follows.
func (s *service) Create(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	held, err := hold(r.GetOptions(), s.getenv)
	if err != nil {
		return nil, errgrpc.ToGRPCf(errdefs.ErrInvalidArgument, "hatchdog: container %s: %s", r.GetID(), err)
	}
	if systemdPath(r.GetBundle()) {
		held.SystemdCgroup = true
	}
	if r.Options, err = pack(held); err != nil {
		return nil, errgrpc.ToGRPC(err)
	}
	return s.TTRPCTaskService.Create(ctx, r)
}

// register makes the service known to the shim's server.
func register(getenv func(string) string) {
	registry.Register(&plugin.Registration{
		Type:     plugins.TTRPCPlugin,
		ID:       "task",
		Requires: []plugin.Type{plugins.EventPlugin, plugins.InternalPlugin},
		InitFn: func(ic *plugin.InitContext) (any, error) {
			publisher, err := ic.GetByID(plugins.EventPlugin, "publisher")
			if err != nil {
				return nil, err
			}
			sd, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
			if err != nil {
				return nil, err
			}
			inner, err := task.NewTaskService(ic.Context, publisher.(shim.Publisher), sd.(shutdown.Service))
			if err != nil {
				return nil, err
			}
			return &service{inner, getenv}, nil
		},
	})
}
