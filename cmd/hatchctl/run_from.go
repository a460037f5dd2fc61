package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// maxNarrow bounds the file of a repository, in bytes.
const maxNarrow = 64 << 10

// from narrows the box by the file of a repository.
func (f *runFlags) from(b *sandbox.Box, known string, overlay *bool, in *os.File, errs io.Writer) error {
	if f.policyFrom == "" {
		return nil
	}
	g, err := grant(b.Cwd, f.policyFrom, false, true)
	if err != nil {
		return fmt.Errorf("--policy-from %s: %w", f.policyFrom, err)
	}
	text, err := readNarrow(g.Path)
	if err != nil {
		return fmt.Errorf("--policy-from %s: %w", f.policyFrom, err)
	}
	n, err := sandbox.ParseNarrow(text)
	if err != nil {
		return fmt.Errorf("--policy-from %s: %w", f.policyFrom, err)
	}
	if err := f.accept(known, g.Path, text, in, errs); err != nil {
		return fmt.Errorf("--policy-from %s: %w", f.policyFrom, err)
	}
	root := filepath.Dir(g.Path)
	if filepath.Base(root) == ".hatchdog" {
		root = filepath.Dir(root)
	}
	if err := f.narrowBy(n, b, overlay, root); err != nil {
		return fmt.Errorf("--policy-from %s: %w", f.policyFrom, err)
	}
	return nil
}

func readNarrow(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(sandbox.ErrNarrow, err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxNarrow+1))
	if err == nil && len(text) > maxNarrow {
		err = fmt.Errorf("%w: larger than 64 KiB", sandbox.ErrNarrow)
	}
	return text, err
}

var (
	errNew    = errors.New("it is new, or changed since it was accepted")
	errNotYes = errors.New("not accepted")
)

// accept asks about a text that nobody has accepted yet.
func (f *runFlags) accept(dir, path string, text []byte, in *os.File, errs io.Writer) error {
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	name := sha256.Sum256([]byte(path))
	known := filepath.Join(dir, hex.EncodeToString(name[:]))
	if data, err := os.ReadFile(known); err == nil && string(data) == digest {
		return nil
	}
	if f.accepted != digest {
		if f.noAsk || !isTerminal(int(in.Fd())) {
			return fmt.Errorf("%w: look at it, then give --policy-accept %s", errNew, digest)
		}
		fmt.Fprintf(errs, "%s is new, or changed since it was accepted:\n%s\nNarrow the box by it? [y/N] ", plain.Line(path), plain.Text(string(text)))
		answer, err := bufio.NewReader(in).ReadString('\n')
		if err != nil || strings.ToLower(strings.TrimSpace(answer)) != "y" {
			return errNotYes
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(known, []byte(digest), 0o600)
}
