package sandbox

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// kept of the caller's environment: what programs need to talk to a person, and
// nothing that could be a secret or lead to one.
var environment = []string{
	"TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES",
	"LANG", "LANGUAGE", "LC_ALL", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT",
	"LC_MESSAGES", "LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
	"TZ", "CI", "SOURCE_DATE_EPOCH",
}

// standardPath is where programs are looked for at least (Debian, login.defs).
const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Environ is the command's environment: the listed names of the caller's, those
// that were named, what was set, and our own. A name without a value there is an
// error: the command would go without what its caller counts on.
func Environ(caller []string, named, set []string, paths func(dir string) bool) ([]string, error) {
	have := map[string]string{}
	for _, e := range caller {
		if name, value, ok := strings.Cut(e, "="); ok {
			have[name] = value
		}
	}
	out := map[string]string{"HOME": Home, "USER": "user", "LOGNAME": "user", "SHELL": "/bin/sh", "TMPDIR": "/tmp", "PATH": searchPath(have["PATH"], paths)}
	for _, name := range environment {
		if value, ok := have[name]; ok {
			out[name] = value
		}
	}
	for _, e := range set {
		name, value, _ := strings.Cut(e, "=")
		out[name] = value
	}
	for _, e := range named {
		name, value, given := strings.Cut(e, "=")
		if !given {
			var ok bool
			if value, ok = have[name]; !ok {
				return nil, fmt.Errorf("--env %s: it is not set here", name)
			}
		}
		if name == "" || strings.ContainsAny(e, "\x00") {
			return nil, fmt.Errorf("--env: a name is missing, or has a zero byte")
		}
		out[name] = value
	}
	all := make([]string, 0, len(out))
	for name, value := range out {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all, nil
}

// searchPath is the caller's PATH as far as the command sees it, then the
// standard one.
func searchPath(have string, seen func(dir string) bool) string {
	var all []string
	for _, dir := range append(strings.Split(have, ":"), strings.Split(standardPath, ":")...) {
		if path.IsAbs(dir) && !slices.Contains(all, dir) && (seen(dir) || strings.Contains(":"+standardPath+":", ":"+dir+":")) {
			all = append(all, dir)
		}
	}
	return strings.Join(all, ":")
}
