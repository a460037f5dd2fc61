package engine

import (
	"path/filepath"
	"strings"
)

// buildkit is BuildKit with its runc executor, a container for each RUN. Its layout,
// in buildkitd 0.9 to 0.34 and in dockerd 18.09 to 29:
//
//	/var/lib/buildkit/runc-SNAPSHOTTER/executor/ID/{config.json,rootfs/}   bundles
//	DATA-ROOT/buildkit/executor/ID/{config.json,rootfs/}                   dockerd's
//	.../executor/{hosts,hosts.ID,resolv.conf,resolv-host.conf}
//	DATA-ROOT/tmp/{buildkit-mountN,buildkit-secretsN}, or in /tmp          RUN --mount
type buildkit struct{}

var _ Engine = buildkit{}

func (buildkit) Name() string { return BuildKitName }

func (buildkit) Made(a Asker) bool { return buildRoot(a) != "" }

// buildRoot is the directory that the executor is in; "" is not BuildKit's.
func buildRoot(a Asker) string {
	executor := filepath.Dir(a.Bundle)
	root := filepath.Dir(executor)
	name := filepath.Base(root)
	if !StepID(a.ID) || filepath.Base(a.Bundle) != a.ID || filepath.Base(executor) != "executor" ||
		name != "buildkit" && !strings.HasPrefix(name, "runc-") {
		return ""
	}
	return root
}

// StepID reports whether an id is of BuildKit's making: 25 digits to the base of 36
// (moby/buildkit, identity/randomid.go). Docker's are 64 to the base of 16.
func StepID(id string) bool {
	return len(id) == 25 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func (buildkit) Pod(Asker) Pod { return Pod{} }

func (buildkit) Dirs(a Asker) []Dir {
	root := buildRoot(a)
	switch {
	case root == "":
		return nil
	case filepath.Base(root) == "buildkit":
		return []Dir{{"/var/lib/docker", filepath.Dir(root)}}
	}
	return []Dir{{"/var/lib/buildkit", filepath.Dir(root)}}
}

// Names: a step has none.
func (buildkit) Names(Asker, Read) Names { return Names{} }
