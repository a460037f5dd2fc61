package install

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// ask runs an engine's program and gives what it prints. An error has the last
// line of what the program complains of.
func ask(args ...string) ([]byte, error) {
	var said bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, LastLine(said.String()))
	}
	return out, nil
}

// LastLine is what a program said last.
func LastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
