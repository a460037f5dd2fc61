package freshness

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/defaults"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// moby is the Docker that the tests run under.
func moby(t *testing.T) string {
	t.Helper()
	version := os.Getenv("DOCKERD_VERSION")
	if version == "" {
		t.Fatal("DOCKERD_VERSION is not set: run it by make freshness")
	}
	return module(t, "github.com/moby/moby/v2@"+version)
}

// closedPaths are the paths of a list in a Go file, which begins as it is said.
func closedPaths(t *testing.T, file, begin string, least int) []string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), begin)
	body, _, _ := strings.Cut(rest, "}")
	var paths []string
	for _, m := range regexp.MustCompile(`"(/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		paths = append(paths, m[1])
	}
	if len(paths) < least {
		t.Fatalf("%s: %d paths behind %q: the form of the file has changed", file, len(paths), begin)
	}
	return paths
}

func TestMaskedPathsOfEngines(t *testing.T) {
	m := profile(t, "baseline").Mounts
	closed := func(path string, lists ...[]policy.ReasonedPath) bool {
		return slices.ContainsFunc(slices.Concat(lists...), func(r policy.ReasonedPath) bool {
			return r.Path == path || policy.MatchPath(r.Path, path)
		})
	}
	for engine, c := range map[string]struct{ file, masked, readOnly string }{
		"containerd": {filepath.Join(required(t, "github.com/containerd/containerd/v2"), "pkg/oci/spec.go"), "maskedPaths := []string{", "ReadonlyPaths: []string{"},
		"Docker":     {filepath.Join(moby(t), "daemon/pkg/oci/defaults.go"), "maskedPaths := []string{", "ReadonlyPaths: []string{"},
	} {
		for _, path := range closedPaths(t, c.file, c.masked, 10) {
			if !closed(path, m.Masked) {
				t.Errorf("%s masks %s, and the profile does not", engine, path)
			}
		}
		for _, path := range closedPaths(t, c.file, c.readOnly, 5) {
			if !closed(path, m.Masked, m.ReadOnly) {
				t.Errorf("%s makes %s read-only, and the profile does not", engine, path)
			}
		}
	}
}

// Whoever reaches an engine's socket is root of the host.
func TestSocketsOfEngines(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(moby(t), "daemon/pkg/opts/hosts.go"))
	if err != nil {
		t.Fatal(err)
	}
	docker := regexp.MustCompile(`DefaultUnixSocket = "([^"]+)"`).FindSubmatch(source)
	if docker == nil {
		t.Fatal("hosts.go of Docker names no socket: its form has changed")
	}
	for _, name := range []string{"baseline", "restricted", "untrusted"} {
		for _, socket := range []string{string(docker[1]), defaults.DefaultAddress, defaults.DefaultDebugAddress} {
			real := strings.Replace(socket, "/var/run/", "/run/", 1) // a link on every Linux of today
			if access, _ := profile(t, name).Mounts.AccessFor(real); access != policy.AccessNone {
				t.Errorf("%s: %s can be mounted: %s", name, real, access)
			}
		}
	}
}
