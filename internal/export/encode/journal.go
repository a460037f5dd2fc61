package encode

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/export/record"
)

// MessageID marks our records in the journal.
const MessageID = "5b0d6a3c8f7e4c1f9a52d1e0c4b7a86f"

// Journal is a record in journald's native protocol. Container fields have the
// names that Docker's own journald driver gives.
func Journal(r record.Record, h Host) []byte {
	var b bytes.Buffer
	put := func(key, value string) {
		if value != "" {
			field(&b, key, value)
		}
	}
	put("MESSAGE", r.Message)
	put("MESSAGE_ID", MessageID)
	put("PRIORITY", strconv.Itoa(int(r.Severity)))
	put("SYSLOG_IDENTIFIER", "hatchdog")
	put("SYSLOG_FACILITY", strconv.Itoa(facility))
	put("CONTAINER_ID", r.Container.ID[:min(12, len(r.Container.ID))])
	put("CONTAINER_ID_FULL", r.Container.ID)
	put("CONTAINER_NAME", r.Container.Name)
	put("IMAGE_NAME", r.Container.Image)
	put("HATCHDOG_SEQ", strconv.FormatUint(r.Seq, 10))
	put("HATCHDOG_HASH", r.Hash)
	put("HATCHDOG_TIME", r.Time.UTC().Format("2006-01-02T15:04:05.000000Z"))
	put("HATCHDOG_KIND", r.Kind)
	put("HATCHDOG_ACTION", r.Action)
	put("HATCHDOG_OUTCOME", r.Outcome)
	put("HATCHDOG_PROFILE", r.Profile)
	put("HATCHDOG_MODE", r.Mode)
	put("HATCHDOG_TECHNIQUE", r.Technique)
	put("HATCHDOG_POD", r.Container.Pod)
	put("HATCHDOG_NAMESPACE", r.Container.Namespace)
	put("HATCHDOG_ENGINE", r.Container.Engine)
	put("HATCHDOG_VERSION", h.Version)
	if r.Missing > 0 {
		put("HATCHDOG_MISSING", strconv.FormatUint(r.Missing, 10))
	}
	put("HATCHDOG_EVENT", string(r.Event))
	return b.Bytes()
}

// field writes KEY=VALUE, or where the value has a line break, the key, the length
// and the value.
func field(b *bytes.Buffer, key, value string) {
	b.WriteString(key)
	if strings.Contains(value, "\n") {
		b.WriteByte('\n')
		b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	} else {
		b.WriteByte('=')
	}
	b.WriteString(value)
	b.WriteByte('\n')
}
