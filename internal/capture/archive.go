// Package capture keeps what a container looks like now, for whoever looks into
// it later: its processes, what they have open, what its writable layer holds.
//
// Guarantees: it changes nothing in the container. For all that the container does,
// what is kept is bounded in number and size, no link leads out of the writable
// layer, no device and no pipe is opened, a process whose memory does not answer
// holds up nothing, and members of the archive have names of ours alone. Names of
// environment variables are kept, and no value.
// Does not cover: memory; contents of files (their digests are kept); what changes
// while it is looked at: freeze the container first. The arguments of processes
// are kept, and may hold secrets.
// Requires: root, or the user that the container is of.
// Spec fields touched: none.
package capture

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/hatchdog/hatchdog/internal/plain"
)

// maxMember bounds one member, in bytes.
const maxMember = 16 << 20

// Member is one file of an archive.
type Member struct {
	Name   string `json:"name"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
	// Cut is the number of bytes that were left out.
	Cut int `json:"cut,omitempty"`
}

// Manifest is the last member: it has the digests of all others.
type Manifest struct {
	Container string    `json:"container"`
	Time      time.Time `json:"time"`
	Frozen    bool      `json:"frozen"` // while it was looked at
	Notes     []string  `json:"notes,omitempty"`
	Members   []Member  `json:"members"`
}

// Archive is a tar file that is written.
type Archive struct {
	tar     *tar.Writer
	whole   hash.Hash
	now     time.Time
	members []Member
}

// NewArchive writes to w.
func NewArchive(w io.Writer, now time.Time) *Archive {
	whole := sha256.New()
	return &Archive{tar: tar.NewWriter(io.MultiWriter(w, whole)), whole: whole, now: now}
}

// Add writes a member. It cuts one that is larger than a member may be, and tells
// of it.
func (a *Archive) Add(name string, data []byte) error {
	cut := max(0, len(data)-maxMember)
	data = data[:len(data)-cut]
	head := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: a.now, Format: tar.FormatPAX, Typeflag: tar.TypeReg}
	if err := a.tar.WriteHeader(head); err != nil {
		return fmt.Errorf("capture: %s: %w", name, err)
	}
	if _, err := a.tar.Write(data); err != nil {
		return fmt.Errorf("capture: %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	a.members = append(a.members, Member{name, len(data), hex.EncodeToString(sum[:]), cut})
	return nil
}

// AddJSON writes a member of JSON, with every character escaped that is not to be
// seen.
func (a *Archive) AddJSON(name string, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(plain.Writer(&text))
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("capture: %s: %w", name, err)
	}
	return a.Add(name, text.Bytes())
}

// Close writes the manifest. It returns the SHA-256 of the whole file.
func (a *Archive) Close(m Manifest) (string, error) {
	m.Members = a.members
	if err := a.AddJSON("manifest.json", m); err != nil {
		return "", err
	}
	if err := a.tar.Close(); err != nil {
		return "", fmt.Errorf("capture: %w", err)
	}
	return hex.EncodeToString(a.whole.Sum(nil)), nil
}
