package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
)

// links is how many names a file has. The number is in what stat(2) gives, which
// os hands on as it is; a file without is taken for one that has others.
func links(info fs.FileInfo) uint64 {
	v := reflect.Indirect(reflect.ValueOf(info.Sys()))
	if v.Kind() != reflect.Struct {
		return 2
	}
	f := v.FieldByName("Nlink")
	if !f.IsValid() || !f.CanUint() {
		return 2
	}
	return f.Uint()
}

// resolve follows a path as the kernel does, to what it leads to, or to the first
// name that is not there; rest is whether more would come behind it.
func resolve(p string) (real string, rest bool, err error) {
	at, names := "/", strings.Split(p, "/")
	for followed := 0; len(names) > 0; {
		name := names[0]
		names = names[1:]
		if name == "" || name == "." {
			continue
		}
		here := path.Join(at, name)
		info, err := os.Lstat(here)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if slices.Contains(names, "..") {
				return "", false, fmt.Errorf("it leads out of %s, which is not there: %w", here, ErrGrant)
			}
			return here, len(names) > 0, nil
		case err != nil:
			return "", false, err
		case info.Mode()&fs.ModeSymlink == 0:
			at = here
			continue
		}
		if followed++; followed > 40 {
			return "", false, fmt.Errorf("too many links: %w", ErrLink)
		}
		to, err := os.Readlink(here)
		if err != nil {
			return "", false, err
		}
		if path.IsAbs(to) {
			at = "/"
		}
		names = append(strings.Split(to, "/"), names...)
	}
	return at, false, nil
}
