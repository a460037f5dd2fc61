package host

import (
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// walk finds where paths of a container lead: by the links of its image, and by
// those of the volumes that are mounted by then. A low-level runtime follows them
// as the host's root.
type walk struct {
	image  int
	mounts []mounted // in the spec's order
}

type mounted struct {
	at string
	fd int // of the source; -1 is a file system that is new, and holds no links
}

// walk finds where the destinations of mounts and the working directory lead.
func (s *Sources) walk(r *Root, spec *specs.Spec) {
	w := walk{image: s.root}
	for _, m := range spec.Mounts {
		says := path.Clean("/" + m.Destination)
		at := w.leads(says)
		r.leads(m.Destination, says, at)
		if strings.Contains(m.Destination, "..") { // behind a link it leads out of what the link leads to
			r.leads(m.Destination, says, w.leads("/"+m.Destination))
		}
		fd, held := s.open[m.Source]
		switch {
		case isBind(m) && held:
			w.mounts = append(w.mounts, mounted{at, fd})
		case !isBind(m) && !slices.Contains(m.Options, "tmpcopyup"): // which copies links of the image
			w.mounts = append(w.mounts, mounted{at, -1})
		}
	}
	if spec.Process != nil && spec.Process.Cwd != "" {
		r.Cwd = w.leads(spec.Process.Cwd)
	}
}

// leads notes where a destination leads, where that is not what it says.
func (r *Root) leads(destination, says, at string) {
	if at == says || slices.Contains(r.Destinations[destination], at) {
		return
	}
	if r.Destinations == nil {
		r.Destinations = map[string][]string{}
	}
	r.Destinations[destination] = append(r.Destinations[destination], at)
}

// mostFollowed is how many links low-level runtimes follow themselves, more than the
// kernel (filepath-securejoin, maxSymlinkLimit).
const mostFollowed = 255

// Endless is where a path leads whose links nobody follows to their end.
const Endless = ""

// leads is where a path of the container leads. A path that is not there leads
// where its words do.
func (w *walk) leads(name string) string {
	at, rest := "/", strings.Split(name, "/")
	for n := 0; len(rest) > 0; {
		if n > mostFollowed {
			return Endless
		}
		next := path.Join(at, rest[0])
		rest = rest[1:]
		// Each directory on the way was looked at: none of them is a link.
		to := w.readlink(next)
		if to == "" {
			at = next
			continue
		}
		n++
		if strings.HasPrefix(to, "/") {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return at
}

// readlink is the target of a link; "" is none.
func (w *walk) readlink(name string) string {
	fd, rest := w.holder(name)
	if fd < 0 || rest == "" { // a root is no link
		return ""
	}
	link, err := unix.Openat2(fd, rest, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return ""
	}
	defer unix.Close(link)
	var target [unix.PathMax]byte
	n, err := unix.Readlinkat(link, "", target[:])
	if err != nil || n == len(target) {
		return ""
	}
	return string(target[:n])
}

// holder is what a path lies in, and what is left of the path there: the last
// mount covers those before it.
func (w *walk) holder(name string) (fd int, rest string) {
	for _, m := range slices.Backward(w.mounts) {
		if m.at == name {
			return -1, "" // what is mounted is no link
		}
		if rest, in := below(m.at, name); in {
			return m.fd, rest
		}
	}
	return w.image, strings.TrimPrefix(name, "/")
}
