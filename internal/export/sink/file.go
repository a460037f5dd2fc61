package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/record"
)

// Stream writes JSON Lines to w.
type Stream struct{ W io.Writer }

// Send writes the batch.
func (s Stream) Send(_ context.Context, batch []record.Record) (Sent, error) {
	for i, r := range batch {
		if _, err := s.W.Write(encode.JSONLine(r)); err != nil {
			return Sent{Done: i}, err
		}
	}
	return Sent{Done: len(batch)}, nil
}

// Close does nothing: the stream is its owner's.
func (Stream) Close() error { return nil }

// File writes JSON Lines to the file at Path, which may be renamed meanwhile: then
// a new one is begun.
type File struct {
	Path string
	file *os.File
}

// Send appends the batch and waits until it is on disk.
func (f *File) Send(_ context.Context, batch []record.Record) (Sent, error) {
	if err := f.ready(); err != nil {
		return Sent{}, err
	}
	var all bytes.Buffer
	for _, r := range batch {
		all.Write(encode.JSONLine(r))
	}
	if _, err := f.file.Write(all.Bytes()); err != nil {
		return Sent{}, errors.Join(err, f.Close()) // opened anew, it loses the unfinished line
	}
	if err := f.file.Sync(); err != nil {
		return Sent{}, errors.Join(err, f.Close())
	}
	return Sent{Done: len(batch)}, nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	return file.Close()
}

func (f *File) ready() error {
	if f.file != nil {
		var ours, named unix.Stat_t
		if unix.Fstat(int(f.file.Fd()), &ours) == nil && unix.Lstat(f.Path, &named) == nil && ours.Ino == named.Ino && ours.Dev == named.Dev {
			return nil
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	if err := finish(file); err != nil {
		_ = file.Close()
		return err
	}
	f.file = file
	return nil
}

// finish takes an unfinished last line away: its writer was killed, and the record
// comes again.
func finish(file *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return fmt.Errorf("%s: %w", file.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s: not a regular file that we alone can write to", file.Name())
	}
	const window = 4096
	for end := st.Size; end > 0; {
		start := max(0, end-window)
		data := make([]byte, end-start)
		if _, err := file.ReadAt(data, start); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(data, '\n'); i >= 0 || start == 0 {
			whole := start + int64(i) + 1
			if whole == st.Size {
				return nil
			}
			return file.Truncate(whole)
		}
		end = start
	}
	return nil
}
