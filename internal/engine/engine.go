// Package engine is the table of the engines that call hatchdog: how each one's
// bundles are told, where it keeps its state wherever that was moved to, and
// how the files of one container are told from those of all others.
//
// Guarantees: the place of the bundle, which the engine alone decides, tells who
// calls. A directory that is found here is only ever protected in addition; a path
// that is opened in it bears the id of the container, its sandbox or its pod.
// Does not cover: an engine that is not in the table. Its containers are those of
// "other", and its directories are protected where a policy names them. The names
// of a container are those that its engine keeps. The user who makes a container
// chooses its name, its labels and how it names the image.
// Requires: nothing. It asks no kernel, and its caller opens the files (Read).
// Spec fields touched: none.
package engine

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Asker is a container that is about to be made.
type Asker struct {
	Spec   *specs.Spec
	ID     string
	Bundle string
}

// Dir is a directory of an engine's: where it usually is, as policies name it,
// and where it is for this container.
type Dir struct{ Usual, Actual string }

// Pod is what an engine says of the pod of a container. A part that it does not say
// is "".
type Pod struct {
	Namespace, Name, UID, Container, Image string
	Sandbox                                bool   // the container is the pod's own
	SandboxID                              string // the container that is
}

// Engine is one of them.
type Engine interface {
	// Name is what a policy calls it.
	Name() string
	// Made reports whether the bundle is one of its.
	Made(a Asker) bool
	// Pod is what its annotations say. It is asked of its own bundles alone:
	// anywhere else anybody may set them.
	Pod(a Asker) Pod
	// Dirs finds where it keeps its state, as far as this container tells.
	Dirs(a Asker) []Dir
	// Names is what it keeps of who the container is. It is asked of its own
	// bundles alone.
	Names(a Asker, read Read) Names
}

// The names.
const (
	DockerName = "docker"
	CRIName    = "cri"
	CtrName    = "ctr"
	PodmanName = "podman"
	// BuildKitName is BuildKit in dockerd, too.
	BuildKitName = "buildkit"
	OtherName    = "other"
)

// All are the engines, in the order in which they are asked.
func All() []Engine { return []Engine{docker{}, criContainerd{}, ctr{}, crio{}, podman{}, buildkit{}} }

// Of is the engine that made the bundle; nil is none of these.
func Of(a Asker) Engine {
	for _, e := range All() {
		if e.Made(a) {
			return e
		}
	}
	return nil
}

// Dirs is where all engines keep their state, as far as this container tells:
// one engine's files may be mounted by another's container.
func Dirs(a Asker) []Dir {
	var all []Dir
	for _, e := range All() {
		for _, d := range e.Dirs(a) {
			if d.Actual = path.Clean(d.Actual); !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
	}
	return all
}

// Others are the ids of other containers whose own files the spec mounts, as
// engines name them.
func Others(a Asker) []string {
	var all []string
	for _, m := range a.Spec.Mounts {
		for _, find := range []func(string) string{dockerFileOf, storageFileOf} {
			if id := find(m.Source); id != "" && id != a.ID && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// sourcesBelow finds the directories that hold marker + the container's own
// part, as in DATA-ROOT "/containers/" ID "/hosts".
func sourcesBelow(s *specs.Spec, marker string) []string {
	var all []string
	for _, m := range s.Mounts {
		root, _, found := strings.Cut(path.Clean(m.Source), marker)
		if found && strings.HasPrefix(root, "/") && !slices.Contains(all, root) {
			all = append(all, root)
		}
	}
	return all
}

// between cuts what stands between two parts of a path, one element.
func between(p, before, after string) string {
	_, rest, found := strings.Cut(p, before)
	if !found {
		return ""
	}
	id, rest, _ := strings.Cut(rest, "/")
	if after != "" && rest != after && !strings.HasPrefix(rest, after+"/") {
		return ""
	}
	return id
}
