package record

// Severity is that of syslog (RFC 5424, table 2).
type Severity int

// The severities in use.
const (
	Critical Severity = 2
	Error    Severity = 3
	Warning  Severity = 4
	Notice   Severity = 5
	Info     Severity = 6
)

// severities are the words with which an event names its own.
var severities = map[string]Severity{
	"critical": Critical, "high": Error, "error": Error, "medium": Warning, "warning": Warning,
	"low": Notice, "notice": Notice, "info": Info,
}

func (s Severity) String() string {
	switch s {
	case Critical:
		return "critical"
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Notice:
		return "notice"
	default:
		return "info"
	}
}

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity reads the word of a severity.
func ParseSeverity(word string) (Severity, bool) {
	for s := Critical; s <= Info; s++ {
		if s.String() == word {
			return s, true
		}
	}
	return 0, false
}
