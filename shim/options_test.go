package shim

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/types/known/anypb"
)

// bin is a PATH with a hatchdog in it.
func bin(t *testing.T) (path string, getenv func(string) string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "hatchdog")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, func(string) string { return "relative:" + dir }
}

func packed(t *testing.T, v any) *anypb.Any {
	t.Helper()
	a, err := typeurl.MarshalAnyToProto(v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Whatever the engine sends, hatchdog is the runtime, or there is an error.
func TestHold(t *testing.T) {
	path, getenv := bin(t)
	for name, c := range map[string]struct {
		asked *anypb.Any
		want  error
	}{
		"none":           {nil, nil},
		"empty":          {&anypb.Any{}, nil},
		"runc's":         {packed(t, &options.Options{NoPivotRoot: true}), nil},
		"ours":           {packed(t, &options.Options{BinaryName: path}), nil},
		"another":        {packed(t, &options.Options{BinaryName: "runc"}), errRuntime},
		"CRI's":          {packed(t, &runtimeoptions.Options{TypeUrl: "x"}), nil},
		"CRI's table":    {packed(t, &runtimeoptions.Options{ConfigBody: []byte("BinaryName = 'runc'")}), errTable},
		"CRI's file":     {packed(t, &runtimeoptions.Options{ConfigPath: "/etc/x"}), errTable},
		"of other type":  {packed(t, &types.Mount{}), errOptions},
		"of no type":     {&anypb.Any{TypeUrl: "nobody/knows.It"}, errOptions},
		"of wrong bytes": {&anypb.Any{TypeUrl: packed(t, &options.Options{}).TypeUrl, Value: []byte{0xff}}, errOptions},
	} {
		t.Run(name, func(t *testing.T) {
			held, err := hold(c.asked, getenv)
			if !errors.Is(err, c.want) || err == nil && held.BinaryName != path {
				t.Errorf("%v %v, want %v", held, err, c.want)
			}
		})
	}
	if held, err := hold(packed(t, &options.Options{NoPivotRoot: true}), getenv); err != nil || !held.NoPivotRoot {
		t.Error("another option was lost", err)
	}
	if _, err := hold(nil, func(string) string { return "" }); !errors.Is(err, errMissing) {
		t.Error(err)
	}
}

func TestSystemdPath(t *testing.T) {
	for text, want := range map[string]bool{
		`{"linux":{"cgroupsPath":"kubepods-besteffort.slice:cri-containerd:abc"}}`: true,
		`{"linux":{"cgroupsPath":"/default/c1"}}`:                                  false,
		`{"linux":{"cgroupsPath":"/a:b:c"}}`:                                       false,
		`{"linux":{}}`:                                                             false,
		`{`:                                                                        false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/config.json", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := systemdPath(dir); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if systemdPath("/nowhere") {
		t.Error("no spec")
	}
}
