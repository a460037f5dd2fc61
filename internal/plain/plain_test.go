package plain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"a b-c_d":             "a b-c_d",
		"naïve 語 😀":           "naïve 語 😀",
		"a\nb":                `a\u000ab`,
		"\x1b[2J\x1b]0;x\a":   `\u001b[2J\u001b]0;x\u0007`,
		"gpj\u202etxt.exe":    `gpj\u202etxt.exe`,
		"zero\u200bwidth":     `zero\u200bwidth`,
		"\u009b31m":           `\u009b31m`,
		"\xff\xfe":            `\ufffd\ufffd`,
		"tag\U000e0041":       `tag\udb40\udc41`,
		"line\u2028sep\u00a0": `line\u2028sep\u00a0`,
	} {
		if got := Line(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Text("a\tb\nc\r"); got != "a\tb\nc\\u000d" {
		t.Errorf("%q", got)
	}
}

func TestCut(t *testing.T) {
	if got := Cut("short", 5); got != "short" {
		t.Error(got)
	}
	long := strings.Repeat("é", 100)
	got := Cut(long, 51)
	if !strings.HasPrefix(got, strings.Repeat("é", 25)+"... (200 bytes, SHA-256 ") || !utf8.ValidString(got) || len(got) > 51+60 {
		t.Error(got)
	}
}

// However text is cut into writes, nothing of it is lost and nothing hidden
// comes through.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\x1bé\u202e😀\xf0\x9f"), 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		var out bytes.Buffer
		w := Writer(&out)
		size = max(1, min(size, 64))
		for rest := data; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		for _, r := range out.String() {
			if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
				t.Fatalf("%q in %q", r, out.String())
			}
		}
		if utf8.Valid(data) && out.String() != Text(string(data)) {
			t.Fatalf("%q: %q", data, out.String())
		}
	})
}

func TestJSONMeansWhatItMeant(t *testing.T) {
	in := map[string]string{"a\u202e": "\u200b\U000e0041 x"}
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	shown := Text(string(raw))
	var back map[string]string
	if err := json.Unmarshal([]byte(shown), &back); err != nil || back["a\u202e"] != in["a\u202e"] {
		t.Errorf("%v %q", err, shown)
	}
	if strings.ContainsRune(shown, '\u202e') {
		t.Error(shown)
	}
}
