package decision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// preventLink is there where the container is to be held while it runs. It is read at
// every start, the record only where it is there.
const preventLink = "prevent"

// Prevented is what is denied a container of a record, and by what; none where nothing
// is.
func Prevented(dir string) ([]string, policy.Holder, error) {
	text, err := os.Readlink(filepath.Join(dir, preventLink))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("record: %w", err)
	}
	by, list, ok := strings.Cut(text, ":")
	if !ok {
		return nil, "", fmt.Errorf("record: %s: %w", preventLink, os.ErrInvalid)
	}
	return strings.Split(list, ","), policy.Holder(by), nil
}
