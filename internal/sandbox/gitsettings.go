package sandbox

import (
	"regexp"
	"strings"
)

// settingPath is a path that git's settings name.
type settingPath struct {
	path  string
	hooks bool // a directory of programs, not a file of settings
}

// pathLine is a setting by which git reads more settings (include.path), finds its
// hooks (core.hooksPath) or a program (mergetool.*.path): git-config(1). The
// section is not looked at: one path too many is closed, none too few.
var pathLine = regexp.MustCompile(`(?i)(?:^|[\s\]])(path|hookspath)[ \t]*=[ \t]*(.*)$`)

func settingPaths(text string) []settingPath {
	var all []settingPath
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\\\n", "")
	for line := range strings.Lines(text) {
		m := pathLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		if p := settingValue(m[2]); p != "" {
			all = append(all, settingPath{p, strings.EqualFold(m[1], "hookspath")})
		}
	}
	return all
}

// settingValue takes the quotes, the escapes and the comment off a value
// (git-config(1), Syntax).
func settingValue(s string) string {
	var out strings.Builder
	quoted, escaped := false, false
	for _, c := range []byte(s) {
		switch {
		case escaped:
			out.WriteByte(c)
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '#' || c == ';'):
			return strings.TrimSpace(out.String())
		default:
			out.WriteByte(c)
		}
	}
	return strings.TrimSpace(out.String())
}
