// Package plain makes text of others fit to be shown: names and values that a
// request brings reach terminals and logs.
//
// Guarantees: the result holds no control character, no character that turns the
// direction of text or joins others invisibly, and no byte that is not UTF-8.
// JSON's escapes stand for them, so that a JSON document keeps its meaning.
// Does not cover: letters that look like other letters.
// Requires: nothing.
// Spec fields touched: none.
package plain

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line is s with every character escaped that is not to be seen, line breaks
// among them.
func Line(s string) string { return visible(s, "") }

// Text is s with every character escaped that is not to be seen but line breaks
// and tabs.
func Text(s string) string { return visible(s, "\n\t") }

func visible(s, keep string) string {
	if ASCII(s) {
		return s
	}
	if strings.IndexFunc(s, func(r rune) bool { return hidden(r, keep) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !hidden(r, keep):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// ASCII reports whether s holds nothing but characters of ASCII that can be
// seen, and spaces.
func ASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func hidden(r rune, keep string) bool {
	return !unicode.IsPrint(r) && !strings.ContainsRune(keep, r) || r == utf8.RuneError
}

// Cut is s, or where that is longer than most bytes, its beginning with the
// length and the start of the SHA-256 of the whole.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	at := most
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return fmt.Sprintf("%s... (%d bytes, SHA-256 %.8x)", s[:at], len(s), sha256.Sum256([]byte(s)))
}

// Writer makes what is written to w as Text does.
func Writer(w io.Writer) io.Writer { return &writer{w: w} }

type writer struct {
	w    io.Writer
	rest []byte // the beginning of a character that the next write ends
}

func (p *writer) Write(data []byte) (int, error) {
	all := append(p.rest, data...)
	end := len(all)
	for i := 1; i < utf8.UTFMax && i <= len(all); i++ {
		if c := all[len(all)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(all[len(all)-i:]) {
				end = len(all) - i
			}
			break
		}
	}
	p.rest = append([]byte(nil), all[end:]...)
	_, err := io.WriteString(p.w, Text(string(all[:end])))
	return len(data), err
}
