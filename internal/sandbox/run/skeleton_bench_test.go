package run

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// What making and removing the root file system of a run costs.
func BenchmarkSkeleton(b *testing.B) {
	dir := b.TempDir()
	box := &sandbox.Box{ID: "bench", System: Host()}
	for b.Loop() {
		root := filepath.Join(dir, "rootfs")
		if err := skeleton(root, box); err != nil {
			b.Fatal(err)
		}
		if err := os.RemoveAll(root); err != nil {
			b.Fatal(err)
		}
	}
}
