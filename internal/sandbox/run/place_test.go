package run

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Runs that begin at once take no bundle of another for one that was left.
func TestPlacesAtOnce(t *testing.T) {
	base := t.TempDir()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for _, p := range left(base) {
				t.Errorf("%s: taken for left", p.dir)
				_ = p.remove()
			}
			p, err := newPlace(base, fmt.Sprintf("run-%d", i))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(p.dir); err != nil {
				t.Error(err)
			}
			_ = p.remove()
		})
	}
	all.Wait()
	p, err := newPlace(base, "killed")
	if err != nil {
		t.Fatal(err)
	}
	p.lock.Close()
	if found := left(base); len(found) != 1 || found[0].dir != p.dir {
		t.Errorf("left: %v", found)
	}
}
