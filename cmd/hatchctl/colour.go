package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/explain"
)

// The colours (ECMA-48, SGR).
const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	reset = "\x1b[0m"
)

// coloured reports whether a file is a terminal that is to be coloured
// (https://no-color.org).
func coloured(f *os.File, getenv func(string) string) bool {
	if getenv("NO_COLOR") != "" || getenv("TERM") == "" || getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// painter colours the lines that a reader looks for. Its input holds no control
// character of others, so its colours are the only ones.
type painter struct {
	w    io.Writer
	line []byte // that the next write ends
}

func (p *painter) Write(data []byte) (int, error) {
	p.line = append(p.line, data...)
	end := bytes.LastIndexByte(p.line, '\n') + 1
	var b strings.Builder
	for line := range strings.Lines(string(p.line[:end])) {
		b.WriteString(paint(line))
	}
	p.line = append([]byte(nil), p.line[end:]...)
	_, err := io.WriteString(p.w, b.String())
	return len(data), err
}

// close writes a last line that has no end.
func (p *painter) close() { _, _ = p.w.Write(p.line) }

func paint(line string) string {
	text := strings.TrimSuffix(line, "\n")
	for word, colour := range map[string]string{"cannot  ": green, "would lose  ": green, "refused  ": red, "failed  ": red, "  wise?  ": bold} {
		if rest, found := strings.CutPrefix(text, word); found {
			return colour + word + reset + rest + "\n"
		}
	}
	if slices.Contains(explain.Titles(), text) || strings.HasPrefix(text, "FIELD  ") || text == "The smallest policy that admits it:" {
		return bold + text + reset + "\n"
	}
	return line
}
