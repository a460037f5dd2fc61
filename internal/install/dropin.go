package install

import (
	"bytes"
	"fmt"
	"regexp"
)

// mark is the first line of every file that is hatchdog's alone.
const mark = "# Written by hatchctl install; hatchctl uninstall removes it."

// DropIn is a file of our own in a directory that the engine merges.
type DropIn struct {
	Text func(Options) string
	// WithDefault is true for one that is there only where hatchdog is the default.
	WithDefault bool
}

// Add writes the whole file. A file of somebody else's is left alone.
func (d DropIn) Add(raw []byte, o Options) ([]byte, error) {
	if raw != nil && !bytes.HasPrefix(raw, []byte(mark)) {
		return nil, ErrConflict
	}
	if d.WithDefault && !o.SetDefault && raw == nil {
		return nil, nil
	}
	// A default that an earlier install set stays.
	o.SetDefault = o.SetDefault || bytes.Equal(raw, d.whole(d.written(raw, o)))
	return d.whole(o), nil
}

func (d DropIn) whole(o Options) []byte { return []byte(mark + "\n" + d.Text(o)) }

// written are the options of an install with the default that raw would be of:
// the program may have been in another place.
func (d DropIn) written(raw []byte, o Options) Options {
	o.SetDefault = true
	if m := program.FindSubmatch(raw); m != nil {
		o.Binary = string(m[1])
	}
	return o
}

// Remove removes the file.
func (d DropIn) Remove(raw []byte) ([]byte, error) {
	if raw != nil && !bytes.HasPrefix(raw, []byte(mark)) {
		return raw, nil
	}
	return nil, nil
}

// program is where the texts below have it.
var program = regexp.MustCompile(`(?m)^(?:runtime_path = |hatchdog = \[|Environment=DOCKER_BUILDKIT_RUNC_COMMAND=)"?(/[^"\s]*)`)

// CRIO is a drop-in of /etc/crio/crio.conf.d. It names no allowed_annotations:
// CRI-O takes only those that are its own there, and passes all others on.
func CRIO() DropIn {
	return DropIn{Text: func(o Options) string {
		text := fmt.Sprintf("[crio.runtime.runtimes.%s]\nruntime_path = %q\nruntime_type = \"oci\"\n", name, o.Binary)
		if o.SetDefault {
			text = fmt.Sprintf("[crio.runtime]\ndefault_runtime = %q\n\n", name) + text
		}
		return text
	}}
}

// Podman is a drop-in of /etc/containers/containers.conf.d.
func Podman() DropIn {
	return DropIn{Text: func(o Options) string {
		text := fmt.Sprintf("[engine.runtimes]\n%s = [%q]\n", name, o.Binary)
		if o.SetDefault {
			text = fmt.Sprintf("[engine]\nruntime = %q\n\n", name) + text
		}
		return text
	}}
}

// BuildKit is a drop-in of Docker's systemd unit: the RUN steps of a build do
// not go through the daemon's runtimes, and cannot name one.
func BuildKit() DropIn {
	return DropIn{WithDefault: true, Text: func(o Options) string {
		return fmt.Sprintf("[Service]\nEnvironment=DOCKER_BUILDKIT_RUNC_COMMAND=%s\n", o.Binary)
	}}
}
