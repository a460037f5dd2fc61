package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/types/known/anypb"
)

var (
	errTable   = errors.New("runtime type " + Name + " takes no options table: leave it out, the policy is in /etc/hatchdog")
	errRuntime = errors.New("BinaryName names another runtime: leave it out, the policy's runtime.path names the one that hatchdog hands over to")
	errOptions = errors.New("runtime options of an unknown type")
	errMissing = errors.New("hatchdog is neither beside the shim nor in PATH")
)

// hold turns what the engine sends into the stock shim's options, with
// hatchdog as the runtime.
func hold(asked *anypb.Any, getenv func(string) string) (*options.Options, error) {
	o, err := read(asked)
	if err != nil {
		return nil, err
	}
	path, err := find(getenv)
	if err != nil {
		return nil, err
	}
	if o.BinaryName != "" && o.BinaryName != path {
		return nil, errRuntime
	}
	o.BinaryName = path
	return o, nil
}

// read takes the options of the runc runtime type, and the empty ones that
// the CRI plugin sends for any other.
func read(asked *anypb.Any) (*options.Options, error) {
	if asked == nil || asked.GetTypeUrl() == "" {
		return &options.Options{}, nil
	}
	v, err := typeurl.UnmarshalAny(asked)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOptions, err)
	}
	switch o := v.(type) {
	case *options.Options:
		return o, nil
	case *runtimeoptions.Options:
		if o.GetConfigPath() != "" || len(o.GetConfigBody()) > 0 {
			return nil, errTable
		}
		return &options.Options{}, nil
	}
	return nil, errOptions
}

// find prefers the hatchdog that was installed with this shim.
func find(getenv func(string) string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("hatchdog: %w", err)
	}
	dirs := append([]string{filepath.Dir(self)}, filepath.SplitList(getenv("PATH"))...)
	for _, dir := range dirs {
		path := filepath.Join(dir, "hatchdog")
		info, err := os.Stat(path)
		if filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", errMissing
}
