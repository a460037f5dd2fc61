package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Walk visits all below root, a directory before what is in it, in the order of
// names, and follows no link out of root. Names may have any bytes, which fs.FS
// refuses. visit may return fs.SkipDir for what it has done with. Walk passes
// over names that go away meanwhile.
func Walk(root *os.Root, visit func(name string, d fs.DirEntry) error) error {
	return walk(root, ".", visit)
}

func walk(root *os.Root, dir string, visit func(name string, d fs.DirEntry) error) error {
	f, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) && dir != "." {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		err := visit(name, e)
		if errors.Is(err, fs.SkipDir) {
			continue
		}
		if err == nil && e.IsDir() {
			err = walk(root, name, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
