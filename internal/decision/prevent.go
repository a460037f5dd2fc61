package decision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// preventLink is there where the kernel's guard is to hold the container. It is read
// at every start, the record only where it is there.
const preventLink = "prevent"

// Prevented is what the kernel's guard is to deny the container of a record; none
// where nothing is.
func Prevented(dir string) ([]string, error) {
	text, err := os.Readlink(filepath.Join(dir, preventLink))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return strings.Split(text, ","), nil
}
