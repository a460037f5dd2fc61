package install

import (
	"bytes"
	"fmt"
)

// mark is the first line of every file that is hatchdog's alone.
const mark = "# Written by hatchctl install; hatchctl uninstall removes it."

// DropIn is a file of our own in a directory that the engine merges.
type DropIn struct {
	Text func(Options) string
}

// Add writes the whole file. A file of somebody else's is left alone.
func (d DropIn) Add(raw []byte, o Options) ([]byte, error) {
	if raw != nil && !bytes.HasPrefix(raw, []byte(mark)) {
		return nil, ErrConflict
	}
	return []byte(mark + "\n" + d.Text(o)), nil
}

// Remove removes the file.
func (d DropIn) Remove(raw []byte) ([]byte, error) {
	if raw != nil && !bytes.HasPrefix(raw, []byte(mark)) {
		return raw, nil
	}
	return nil, nil
}

// CRIO is a drop-in of /etc/crio/crio.conf.d.
func CRIO() DropIn {
	return DropIn{func(o Options) string {
		text := fmt.Sprintf("[crio.runtime.runtimes.%s]\nruntime_path = %q\nruntime_type = \"oci\"\nallowed_annotations = [\"hatchdog.dev/*\"]\n", name, o.Binary)
		if o.SetDefault {
			text = fmt.Sprintf("[crio.runtime]\ndefault_runtime = %q\n\n", name) + text
		}
		return text
	}}
}

// Podman is a drop-in of /etc/containers/containers.conf.d.
func Podman() DropIn {
	return DropIn{func(o Options) string {
		text := fmt.Sprintf("[engine.runtimes]\n%s = [%q]\n", name, o.Binary)
		if o.SetDefault {
			text = fmt.Sprintf("[engine]\nruntime = %q\n\n", name) + text
		}
		return text
	}}
}

// BuildKit is a drop-in of Docker's systemd unit: the RUN steps of a build do
// not go through the daemon's runtimes.
func BuildKit() DropIn {
	return DropIn{func(o Options) string {
		return fmt.Sprintf("[Service]\nEnvironment=DOCKER_BUILDKIT_RUNC_COMMAND=%s\n", o.Binary)
	}}
}
