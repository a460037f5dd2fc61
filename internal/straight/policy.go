package straight

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// These are policy.SystemFile, policy.SystemDir and policy.DefaultStateDir for
// root.
const (
	systemFile   = "/etc/hatchdog/policy.yaml"
	systemDir    = "/etc/hatchdog/policy.d"
	defaultState = "/run/hatchdog"
)

// maxText is the most of a policy file that is read here, in bytes.
const maxText = 64 << 10

// key is the one key of a policy that matters here.
const key = "stateDir"

// stateDir is what the policy in force says of where the records are.
func stateDir(getenv func(string) string) (string, bool) {
	names, ok := policyFiles(getenv)
	if !ok {
		return "", false
	}
	found := ""
	for _, name := range names {
		text, ok := readPolicy(name)
		if !ok {
			return "", false
		}
		dir, ok := stateDirIn(text)
		if !ok || dir != "" && found != "" {
			return "", false
		}
		if dir != "" {
			found = dir
		}
	}
	if found == "" {
		found = defaultState
	}
	return found, true
}

// policyFiles are policy.Names.
func policyFiles(getenv func(string) string) ([]string, bool) {
	var names []string
	if named := getenv("HATCHDOG_POLICY"); named != "" {
		for more := true; more; {
			var name string
			name, named, more = cut(named, ':')
			names = append(names, name)
		}
		return names, true
	}
	var st syscall.Stat_t
	switch err := syscall.Lstat(systemFile, &st); {
	case err == nil:
		names = append(names, systemFile)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, false
	}
	entries, err := os.ReadDir(systemDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false
	}
	for _, e := range entries {
		if ends(e.Name(), ".yaml") {
			names = append(names, systemDir+"/"+e.Name())
		}
	}
	return names, true
}

// readPolicy reads a short file that is root's alone, by a path without links that
// nobody else can change.
func readPolicy(name string) (string, bool) {
	if !isPath(name) || !steadyDirs(name) {
		return "", false
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	defer func() { _ = syscall.Close(fd) }()
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Uid != 0 || st.Mode&0o022 != 0 || st.Size > maxText {
		return "", false
	}
	return readAll(fd, int(st.Size))
}

// readAll reads what has size bytes. More, or less, is a file that changes.
func readAll(fd, size int) (string, bool) {
	text := make([]byte, size+1)
	have := 0
	for have < len(text) {
		n, err := syscall.Read(fd, text[have:])
		if err != nil {
			return "", false
		}
		if n == 0 {
			break
		}
		have += n
	}
	return string(text[:have]), have == size
}

// stateDirIn finds the key stateDir in the text of a policy file, where it is
// certain without reading YAML what it says; "" is a file without the key.
//
// It is certain where none of the ways is used in which YAML writes a word with
// other characters (escapes, tags, encodings), where there is no character that
// YAML, beside LF, ends a line with (NEL, LS and PS: a comment would end at it), and
// where the only place of the word is a line of its own, STATEDIR: PATH, before which
// there are only comments and lines of that form, and behind which the next line that
// is no comment begins with a letter: then it is a key of the document, and its value
// ends with the line.
func stateDirIn(text string) (string, bool) {
	found, at := "", 0
	for at < len(text) {
		end := at
		for ; end < len(text) && text[end] != '\n'; end++ {
			switch c := text[end]; {
			case c == '\\', c == '!', c < ' ' && c != '\t', c > '~':
				return "", false
			case c == key[0] && begins(text[end:], key) && (end != at || found != ""):
				return "", false
			}
		}
		if begins(text[at:end], key) {
			if !simple(text[:at]) || !ended(text[min(end+1, len(text)):]) {
				return "", false
			}
			name, value, ok := cut(text[at:end], ':')
			if !ok || name != key || value == "" || value[0] != ' ' || !isPath(value[1:]) {
				return "", false
			}
			found = value[1:]
		}
		at = end + 1
	}
	return found, true
}

// ended reports whether a value before text does not go on in it: behind comments
// follows nothing, or a line that begins with a letter.
func ended(text string) bool {
	for text != "" && text[0] == '#' {
		_, text, _ = cut(text, '\n')
	}
	return text == "" || isLetter(text[0])
}

// simple reports whether every line is a comment, empty, or KEY: VALUE, where the
// value is of letters, digits and the like.
func simple(text string) bool {
	for text != "" {
		var line string
		line, text, _ = cut(text, '\n')
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := cut(line, ':')
		if !ok || name == "" || len(value) < 2 || value[0] != ' ' {
			return false
		}
		for i := range len(name) {
			if !isLetter(name[i]) {
				return false
			}
		}
		if value = value[1:]; !isPath(value) && !isPath("/"+value) {
			return false
		}
	}
	return true
}
