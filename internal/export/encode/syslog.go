package encode

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/export/record"
)

// facility is "log audit" (RFC 5424, table 1).
const facility = 13

// Lengths of the header's parts (RFC 5424, section 6).
const (
	maxHostname = 255
	maxMsgID    = 32
)

// The largest sequenceId (RFC 5424, section 7.3.1): behind it comes 1.
const maxSequence = 1<<31 - 1

// HeaderMost is the largest header that Syslog writes, in bytes.
const HeaderMost = 7 + 33 + maxHostname + 10 + 21 + maxMsgID + 32 + 7

// Syslog is a message of RFC 5424 around msg, which is on one line and has no byte
// order mark: receivers read CEF and JSON from its first byte.
func Syslog(r record.Record, h Host, pid int, msg []byte) []byte {
	return append([]byte(fmt.Sprintf("<%d>1 %s %s hatchdog %d %s [meta sequenceId=\"%d\"] ",
		facility*8+int(r.Severity), r.Time.UTC().Format("2006-01-02T15:04:05.000000Z"),
		word(h.Name, maxHostname), pid, word(r.Kind, maxMsgID), (max(r.Seq, 1)-1)%maxSequence+1)), msg...)
}

// Octets is a message behind its length, as on a stream (RFC 6587, section 3.4.1).
func Octets(msg []byte) []byte {
	return append(strconv.AppendInt(nil, int64(len(msg)), 10), append([]byte{' '}, msg...)...)
}

// word is a text of visible ASCII without spaces; none is "-".
func word(s string, most int) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < most; i++ {
		if s[i] > ' ' && s[i] < 0x7f {
			b.WriteByte(s[i])
		} else {
			b.WriteByte('_')
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}
