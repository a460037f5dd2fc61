package encode

import (
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/export/record"
)

// Separators of CEF (ArcSight Common Event Format, revision 25): of the header, and
// of the extension. Line breaks are gone before.
var (
	cefHeader = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	cefValue  = strings.NewReplacer(`\`, `\\`, `=`, `\=`)
)

// CEF is a record in at most most bytes.
func CEF(r record.Record, h Host, most int) []byte {
	return fit(most, func(text int) []byte { return cef(r, h, text) })
}

func cef(r record.Record, h Host, text int) []byte {
	var b strings.Builder
	b.WriteString("CEF:0|hatchdog|hatchdog")
	for _, s := range []string{h.Version, r.Kind, cefName(r), strconv.Itoa(cefSeverity(r.Severity))} {
		b.WriteByte('|')
		b.WriteString(cefHeader.Replace(cut(s, min(text, 128))))
	}
	b.WriteByte('|')
	sep := ""
	put := func(key, value string) {
		if value == "" {
			return
		}
		b.WriteString(sep + key + "=" + cefValue.Replace(cut(value, text)))
		sep = " "
	}
	labelled := func(key, label, value string) {
		if value != "" {
			put(key+"Label", label)
			put(key, value)
		}
	}
	put("rt", strconv.FormatInt(r.Time.UnixMilli(), 10))
	put("externalId", strconv.FormatUint(r.Seq, 10))
	put("dvchost", h.Name)
	put("act", r.Action)
	put("outcome", r.Outcome)
	labelled("cs1", "containerId", r.Container.ID)
	labelled("cs2", "containerName", r.Container.Called())
	labelled("cs3", "image", r.Container.Image)
	labelled("cs4", "profile", r.Profile)
	labelled("cs5", "technique", r.Technique)
	labelled("cs6", "lineHash", r.Hash)
	if r.Missing > 0 {
		labelled("cn1", "missing", strconv.FormatUint(r.Missing, 10))
	}
	if r.Unnamed > 0 {
		labelled("cn2", "unnamed", strconv.FormatUint(uint64(r.Unnamed), 10))
	}
	put("msg", r.Message)
	return []byte(b.String())
}

func cefName(r record.Record) string {
	if r.Action == "" {
		return r.Kind
	}
	return r.Action + " " + r.Outcome
}

// cefSeverity is on CEF's scale of 0 to 10.
func cefSeverity(s record.Severity) int {
	switch s {
	case record.Critical:
		return 10
	case record.Error:
		return 8
	case record.Warning:
		return 6
	case record.Notice:
		return 4
	default:
		return 2
	}
}
