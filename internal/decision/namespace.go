package decision

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/host"
)

const (
	// netnsLink names the network namespace that has the container's rules.
	netnsLink = "netns"
	// startLink is there where network rules are installed at start. It is read
	// at every start, the record only where it is there.
	startLink = "start"
)

// KeepNamespace notes in a record's directory which network namespace has the
// container's rules.
func KeepNamespace(dir string, id host.FileID) error {
	return writeLink(dir, netnsLink, fmt.Sprintf("%d:%d", id.Dev, id.Ino))
}

// Namespace reads it back; false where the container has no rules.
func Namespace(dir string) (host.FileID, bool) {
	var id host.FileID
	text, err := os.Readlink(filepath.Join(dir, netnsLink))
	if err != nil {
		return id, false
	}
	n, err := fmt.Sscanf(text, "%d:%d", &id.Dev, &id.Ino)
	return id, err == nil && n == 2
}

// AtStart reports whether the container of a record gets its network rules at
// start.
func AtStart(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, startLink))
	return err == nil
}
