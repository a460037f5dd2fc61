package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// strengths runs the ruler in each box, and says what another denies that ours does
// not.
func strengths(all []*tool, ruler, dir string) error {
	program, err := os.ReadFile(ruler)
	if err != nil {
		return err
	}
	at := filepath.Join(dir, "ruler")
	if err := errors.Join(os.WriteFile(at, program, 0o755), os.Chmod(dir, 0o755)); err != nil {
		return err
	}
	var ours []string
	for i, t := range all {
		args := slices.DeleteFunc(slices.Clone(t.args[:len(t.args)-1]), func(a string) bool { return slices.Contains(t.own, a) })
		cmd := exec.Command(args[0], append(args[1:], at)...)
		cmd.Dir = dir
		out, err := cmd.Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		blocked, tried := read(string(out))
		if tried == 0 {
			return fmt.Errorf("%s: the ruler did not run", t.name)
		}
		fmt.Printf("%s denies %d of %d primitives\n", t.name, len(blocked), tried)
		if i == 0 {
			ours = blocked
			continue
		}
		more := slices.DeleteFunc(blocked, func(b string) bool { return slices.Contains(ours, b) })
		if len(more) > 0 {
			fmt.Printf("  and hatchctl run does not: %s\n", strings.Join(more, ", "))
		}
	}
	return nil
}

func read(out string) (blocked []string, tried int) {
	for line := range strings.Lines(out) {
		switch name, what, _ := strings.Cut(strings.TrimSpace(line), " "); what {
		case "blocked":
			blocked = append(blocked, name)
			tried++
		case "open":
			tried++
		}
	}
	return blocked, tried
}
