package encode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/plain"
)

var host = Host{Name: "host=1|\\", Version: "v1|2=3"}

// records are of one hostile text: as a receiver gets it from the log, and as an
// encoder would get it if nothing had been escaped before.
func records(s string) []record.Record {
	event, err := json.Marshal(map[string]any{
		"door": "create", "id": s, "outcome": "refused", "profile": s, "mode": "enforce",
		"workload": map[string]any{"name": s, "image": s, "engine": "docker", "namespace": s, "pod": s},
		"refusals": []any{map[string]any{"control": s, "field": s, "reason": s}},
	})
	if err != nil {
		panic(err)
	}
	line, err := json.Marshal(map[string]any{"seq": 7, "event": json.RawMessage(event)})
	if err != nil {
		panic(err)
	}
	now := time.Unix(1e9, 0).UTC()
	e := audit.Entry{Position: audit.Position{Seq: 7, Hash: "ab"}, Time: now, Event: event, Raw: line}
	raw := record.Record{
		Seq: 7, Hash: s, Time: now, Kind: s, Severity: record.Warning, Message: s, Action: s, Outcome: s, Profile: s, Mode: s, Technique: s,
		Container: record.Container{ID: s, Name: s, Image: s, Engine: s, Namespace: s, Pod: s}, Event: event, Line: []byte(s),
	}
	broken := raw
	broken.Event = []byte(s)
	return []record.Record{record.Of(e, now), raw, broken}
}

var hostile = []string{
	"web", "", "a\nb", "a\r\n<13>1 - - x - - - y", "x|y|CEF:0|", `\`, `\\n`, "a=b act=none", "]\"", "\x00\x1b[2J", "\xff\xfe", "\u202e\u2028",
	"CEF\\|=\nMESSAGE=x\n", strings.Repeat("é=|\\\n", 9000), `{"a":1}` + "\n" + `{"b":2}`, `{"a": "` + "\u2028" + `"}`,
}

func FuzzEncoders(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 2048)
	}
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = 1400 + (most&0x7fffffff)%60000
		for _, r := range records(s) {
			jsonForms(t, r, most)
			readCEF(t, r, CEF(r, host, most), most)
			readSyslog(t, r, Syslog(r, host, 42, CEF(r, host, most)))
			readJournal(t, r, Journal(r, host))
		}
	})
}

func jsonForms(t *testing.T, r record.Record, most int) {
	for name, doc := range map[string][]byte{"line": JSONLine(r), "document": append(Document(r), '\n'), "ecs": append(ECS(r, host, most), '\n')} {
		if bytes.Count(doc, []byte("\n")) != 1 || !utf8.Valid(doc) || plain.Line(string(doc[:len(doc)-1])) != string(doc[:len(doc)-1]) {
			t.Fatalf("%s is not one line that can be shown: %q", name, doc)
		}
		dec := json.NewDecoder(bytes.NewReader(doc))
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s: %v: %s", name, err, doc)
		}
		if dec.More() {
			t.Fatalf("%s is more than one document: %s", name, doc)
		}
	}
	if ecs := ECS(r, host, most); len(ecs) > most {
		t.Fatalf("ECS has %d bytes of %d", len(ecs), most)
	}
	var ecs struct {
		Container struct{ ID string }
		Event     struct {
			Sequence uint64
			Original string
		}
	}
	if err := json.Unmarshal(ECS(r, host, 0), &ecs); err != nil || ecs.Event.Sequence != r.Seq || ecs.Container.ID != cut(r.Container.ID, 1024) {
		t.Fatalf("ECS says %+v (%v) of %q", ecs, err, r.Container.ID)
	}
}

// readCEF reads by the format's own rules: a header of seven fields, in which | and
// \ are escaped; pairs, in which = and \ are; keys of letters and digits.
func readCEF(t *testing.T, r record.Record, msg []byte, most int) {
	if len(msg) > most || bytes.ContainsAny(msg, "\r\n\x00") || !utf8.Valid(msg) {
		t.Fatalf("%d bytes of %d: %q", len(msg), most, msg)
	}
	header, rest, err := cefHeaderOf(string(msg))
	if err != nil {
		t.Fatal(err, string(msg))
	}
	if header[0] != "CEF:0" || header[1] != "hatchdog" || header[6] != "6" && r.Severity == record.Warning {
		t.Fatalf("header %q", header)
	}
	pairs, err := cefPairs(rest)
	if err != nil {
		t.Fatal(err, rest)
	}
	if pairs["externalId"] != fmt.Sprint(r.Seq) {
		t.Fatalf("externalId %q of %d: %s", pairs["externalId"], r.Seq, rest)
	}
	_, rest, err = cefHeaderOf(string(CEF(r, host, 0)))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := cefPairs(rest)
	if err != nil {
		t.Fatal(err)
	}
	if want := cut(r.Container.ID, 1024); whole["cs1"] != want || whole["msg"] != cut(r.Message, 1024) || whole["act"] != cut(r.Action, 1024) {
		t.Fatalf("cs1 %q, want %q", whole["cs1"], want)
	}
}

func cefHeaderOf(s string) (fields []string, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '|'):
			i++
			b.WriteByte(s[i])
		case s[i] == '\\':
			return nil, "", errors.New("an escape of the header that there is not")
		case s[i] == '|':
			fields = append(fields, b.String())
			b.Reset()
			if len(fields) == 7 {
				return fields, s[i+1:], nil
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return nil, "", fmt.Errorf("a header of %d fields", len(fields))
}

var cefKey = regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)$`)

func cefPairs(s string) (map[string]string, error) {
	pairs := map[string]string{}
	key := ""
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '='):
			// Marked, so that it is no end of a key.
			i++
			b.WriteString(map[byte]string{'\\': "\x01", '=': "\x02"}[s[i]])
		case s[i] == '\\':
			return nil, errors.New("an escape of the extension that there is not")
		case s[i] == '=':
			m := cefKey.FindStringSubmatchIndex(b.String())
			if m == nil {
				return nil, fmt.Errorf("no key before = at %d", i)
			}
			if key != "" {
				pairs[key] = b.String()[:m[0]]
			} else if m[0] != 0 {
				return nil, errors.New("text before the first key")
			}
			key = b.String()[m[2]:m[3]]
			if _, twice := pairs[key]; twice {
				return nil, fmt.Errorf("%s is there twice", key)
			}
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	pairs[key] = b.String()
	for k, v := range pairs {
		pairs[k] = strings.NewReplacer("\x01", `\`, "\x02", "=").Replace(v)
	}
	return pairs, nil
}

var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) \[meta sequenceId="(\d{1,10})"\] (.*)$`)

func readSyslog(t *testing.T, r record.Record, msg []byte) {
	m := rfc5424.FindSubmatch(msg)
	if m == nil {
		t.Fatalf("not RFC 5424: %q", msg)
	}
	if head := len(msg) - len(m[8]); head > HeaderMost {
		t.Fatalf("a header of %d bytes", head)
	}
	if string(m[1]) != fmt.Sprint(13*8+int(r.Severity)) || !bytes.HasPrefix(m[8], []byte("CEF:0|")) {
		t.Fatalf("%q", msg)
	}
	stream := append(Octets(msg), Octets(msg)...)
	for range 2 {
		n := 0
		if _, err := fmt.Sscanf(string(stream), "%d ", &n); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := bytes.Cut(stream, []byte(" "))
		if !bytes.Equal(rest[:n], msg) {
			t.Fatal("the frame is not the message")
		}
		stream = rest[n:]
	}
}

// readJournal reads journald's native protocol as systemd documents it.
func readJournal(t *testing.T, r record.Record, msg []byte) {
	fields := map[string]string{}
	for len(msg) > 0 {
		end := bytes.IndexByte(msg, '\n')
		if end < 0 {
			t.Fatalf("no end of %q", msg)
		}
		key, value, short := strings.Cut(string(msg[:end]), "=")
		msg = msg[end+1:]
		if !short {
			n := binary.LittleEndian.Uint64(msg)
			value = string(msg[8 : 8+n])
			if msg[8+n] != '\n' {
				t.Fatal("no line break behind a value")
			}
			msg = msg[9+n:]
		}
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`).MatchString(key) {
			t.Fatalf("a field %q", key)
		}
		if _, twice := fields[key]; twice {
			t.Fatalf("%s is there twice", key)
		}
		fields[key] = value
	}
	if fields["MESSAGE"] != r.Message || fields["CONTAINER_ID_FULL"] != r.Container.ID || fields["HATCHDOG_EVENT"] != string(r.Event) || fields["PRIORITY"] != fmt.Sprint(int(r.Severity)) {
		t.Fatalf("%q", fields)
	}
}

// The line that leaves is the line of the log, byte for byte.
func TestJSONLineKeepsTheChain(t *testing.T) {
	line := []byte(`{"seq":1,"event":{"id":"\u001b[2J","n":1.0}}`)
	if got := JSONLine(record.Record{Line: line}); string(got) != string(line)+"\n" {
		t.Errorf("%s", got)
	}
}
