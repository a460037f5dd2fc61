package bundle

import (
	"errors"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// A NUL in a value or in a name is refused wherever it is: crun reads "/proc" where a
// destination is "/proc\x00x", and an annotation of its own behind such a name. Words
// that only look like one are not.
func TestNULIsRefused(t *testing.T) {
	for text, bad := range map[string]bool{
		`{"mounts":[{"destination":"/proc\u0000x"}]}`:            true,
		`{"annotations":{"run.oci.handler\u0000":"krun"}}`:       true,
		`{"process":{"apparmorProfile":"unconfined\u0000-not"}}`: true,
		`{"future":{"x":["\u0000"]}}`:                            true,
		`{"hostname":"\\\u0000"}`:                                true,
		`{"hostname":"\\u0000"}`:                                 false,
		`{"hostname":"\\\\u0000 u0000","domainname":"\u0001"}`:   false,
		`{"hostname":"\\u0000","domainname":"\u0000"}`:           true,
	} {
		if _, err := Decode[specs.Spec]([]byte(text)); errors.Is(err, ErrNUL) != bad {
			t.Errorf("%s: %v", text, err)
		}
	}
}
