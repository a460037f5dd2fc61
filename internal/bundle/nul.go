package bundle

import (
	"bytes"
	"errors"
)

// ErrNUL is a text that means something else to a low-level runtime.
var ErrNUL = errors.New("a text with a NUL character, at which a low-level runtime in C ends it: it would read another path, name or label than was judged; take it out")

// hasNUL looks for the one way to write NUL in JSON (RFC 8259, section 7). A
// backslash before it may be one of a pair, which stands for itself.
func hasNUL(raw []byte) bool {
	nul := []byte(`\u0000`)
	for at := 0; ; {
		next := bytes.Index(raw[at:], nul)
		if next < 0 {
			return false
		}
		at += next
		pairs := 0
		for i := at; i > 0 && raw[i-1] == '\\'; i-- {
			pairs++
		}
		if pairs%2 == 0 {
			return true
		}
		at += len(nul)
	}
}
