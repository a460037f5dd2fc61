package straight

// The package strings takes tables of Unicode with it, which are set up first.

func begins(s, with string) bool { return len(s) >= len(with) && s[:len(with)] == with }

func ends(s, with string) bool { return len(s) >= len(with) && s[len(s)-len(with):] == with }

// cut is s up to the first sep and behind it.
func cut(s string, sep byte) (before, after string, found bool) {
	for i := range len(s) {
		if s[i] == sep {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// base is the last part of a path.
func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// isPath reports whether s is an absolute path in its shortest spelling, without
// a character that a YAML document could read otherwise.
func isPath(s string) bool {
	if len(s) < 2 || s[0] != '/' {
		return false
	}
	part := 1
	for i := 1; i <= len(s); i++ {
		if i == len(s) || s[i] == '/' {
			if name := s[part:i]; name == "" || name == "." || name == ".." {
				return false
			}
			part = i + 1
			continue
		}
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
