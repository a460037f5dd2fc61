package layer

import (
	"bytes"
	"io"
	"os"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"
)

// maxText bounds a file whose lines are compared, in bytes.
const maxText = 256 << 10

// Text is what changed in the lines of a file; empty where it is no text. It is
// the command's: whoever shows it takes the escapes out.
func (l *Layer) Text(c Change) (string, error) {
	if c.Kind != "file" || c.What == Removed {
		return "", nil
	}
	root, err := os.OpenRoot(l.Tree())
	if err != nil {
		return "", err
	}
	defer root.Close()
	before, after, err := l.both(root, &c)
	if err != nil {
		return "", err
	}
	defer before.Close()
	defer after.Close()
	var texts [2][]byte
	for i, f := range []*os.File{before, after} {
		if texts[i], err = io.ReadAll(io.LimitReader(f, maxText+1)); err != nil {
			return "", err
		}
		if len(texts[i]) > maxText || !utf8.Valid(texts[i]) || bytes.IndexByte(texts[i], 0) >= 0 {
			return "", nil
		}
	}
	return string(diff.Diff("before/"+c.Path, texts[0], "after/"+c.Path, texts[1])), nil
}
