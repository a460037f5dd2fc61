package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"golang.org/x/sys/unix"
)

// askedFile holds the spec as it was asked for, beside one that was rewritten
// to point to mounts that only its container sees. Whoever creates from the
// bundle again starts from there. Its first line is the SHA-256 of the spec
// that it belongs to: an engine's new spec makes it void.
const askedFile = "config.json.hatchdog"

// Asked is the spec that was asked for, where raw in dir is what hatchdog made
// of it; else it is raw.
func Asked(dir string, raw []byte) []byte {
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return raw
	}
	defer unix.Close(fd)
	return askedAt(fd, raw)
}

func askedAt(dirfd int, raw []byte) []byte {
	data, _, err := readAt(dirfd, askedFile)
	if err != nil {
		return raw
	}
	of, asked, ok := bytes.Cut(data, []byte("\n"))
	if !ok || string(of) != digest(raw) {
		return raw
	}
	return asked
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// KeepAsked notes what was asked for, before Write puts written in its place.
func (b *Bundle) KeepAsked(written []byte) error {
	tmp, err := b.writeTemp(append([]byte(digest(written)+"\n"), b.doc.Raw...))
	if err != nil {
		return fmt.Errorf("%s: %w", askedFile, err)
	}
	if err := unix.Renameat(b.fd, tmp, b.fd, askedFile); err != nil {
		_ = unix.Unlinkat(b.fd, tmp, 0)
		return fmt.Errorf("%s: %w", askedFile, err)
	}
	return nil
}
